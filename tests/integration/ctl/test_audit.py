"""Who has asked for what, from the command line."""

import pytest

from gateway_worker.storage.db import PostgresChangeStore, PostgresInboxStore
from tests.integration.storage.db.support import WORKER, finished, opened, received
from tests.support.commands import Ctl


@pytest.mark.parametrize("tenant", ["acme", None])
async def test_commands_are_listed_without_what_is_in_them(
    ctl: Ctl, database_url: str, tenant: str | None
) -> None:
    """The latest first; a tenant's, or all."""
    async with opened(database_url) as database:
        inbox = PostgresInboxStore(database=database)
        changes = PostgresChangeStore(database=database, worker_id=WORKER)
        for session in ("acme.a", "mallory.a", "a"):
            await inbox.enter([received("one", session, said="+12025550101")])
        await changes.commit([finished("one", session="acme.a", epoch=None)])
    given = ("--tenant", tenant) if tenant else ()

    answer = await ctl("audit", *given, "--json")
    assert answer.code == 0, answer.err
    found = {
        (line["owner"], line["session_id"], line["command_id"], line["outcome"])
        for line in answer.json
    }
    expected: set[tuple[str | None, ...]] = {("acme", "acme.a", "one", "succeeded")}
    if tenant is None:
        expected |= {
            ("mallory", "mallory.a", "one", "executing"),
            (None, "a", "one", "executing"),
        }
    assert found == expected
    assert "12025550101" not in answer.out
    assert (await ctl("audit", "--session", "acme.b")).out == "there are no such commands\n"
    assert "more are not shown" in (await ctl("audit", "--limit", "1")).err or tenant == "acme"


@pytest.mark.parametrize("given", [("--tenant", "a.b"), ("--since", "yesterday"), ("--limit", "0")])
async def test_what_cannot_be_asked(ctl: Ctl, given: tuple[str, str]) -> None:
    """Said before the database is asked."""
    assert (await ctl("audit", *given)).code == 2
