"""Who has asked for what, from the command line."""

from typing import Any

import pytest

from gateway_worker.storage.db import PostgresChangeStore, PostgresInboxStore
from gateway_worker.storage.db.audit import Audit
from tests.integration.storage.db.support import WORKER, finished, opened, received
from tests.support.commands import Ctl
from tests.support.databases import execute


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


@pytest.mark.parametrize("bite", [1, 2, 7, 100])
@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["c6", "c5", "c4", "c3"]),
        ({"tenant": "acme"}, ["c6", "c4", "c2", "c0"]),
        ({"session_id": "b"}, ["c5", "c3", "c1"]),
        ({"tenant": "mallory"}, []),
        ({"command_type": "message.send"}, ["c6", "c5", "c4", "c3"]),
        ({"command_type": "message.sen_"}, []),
    ],
)
async def test_few_are_found_among_many(
    database_url: str, wanted: dict[str, Any], found: list[str], bite: int
) -> None:
    """However many are looked through at a time, also those that came together."""
    async with opened(database_url) as database:
        inbox = PostgresInboxStore(database=database)
        for number in range(7):
            session = "b" if number % 2 else "acme.b"
            await inbox.enter([received(f"c{number}", session)])
        moments = "'2026-01-01T00:00:00Z'::timestamptz + (right(id, 1)::int / 3) * interval '1 s'"
        await execute(database_url, f"UPDATE commands SET received_at = {moments}")
        audit = Audit(database=database, bite=bite)

        lines = await audit.commands(**wanted, limit=4)
        since = await audit.commands(**wanted, since=lines[1].received_at, limit=4) if lines else []

    assert sorted(line.command_id for line in lines) == sorted(found)
    assert [line.received_at for line in lines] == sorted(
        (line.received_at for line in lines), reverse=True
    )
    expected = [line for line in lines if line.received_at >= lines[1].received_at]
    assert since == expected
