"""Ids of commands are one namespace for each tenant, in every table that has them."""

import asyncio
from pathlib import Path

import pytest

from gateway_contracts import MessageSend, MessageSendData, TextToSend
from gateway_worker.commands.attempts import Attempts
from gateway_worker.commands.inbox import Inbox
from gateway_worker.commands.ports import Verdict
from gateway_worker.runtime.service import running
from gateway_worker.storage.db import PostgresChangeStore, PostgresInboxStore
from gateway_worker.storage.db.command_keys import command_id, command_key
from tests.integration.storage.db.support import (
    WORKER,
    finished,
    opened,
    received,
    session_row,
    value,
)
from tests.support.ports import UnaskedPublisher, UnaskedRecorder, session_ports, sessions_on

SESSIONS = ("acme.a", "acme.b", "mallory.a", "a", "b")


@pytest.mark.parametrize("session", SESSIONS)
def test_a_key_tells_its_command(session: str) -> None:
    """There and back, also for what looks like a key."""
    assert command_id(command_key(session, "acme/1")) == "acme/1"
    assert (command_key(session, "1") == "1") is ("." not in session)


async def test_each_tenant_has_its_ids(database_url: str) -> None:
    """Another session of the same tenant finds an id taken, another tenant's does not."""
    rows = [session_row(name) for name in SESSIONS]
    async with opened(database_url, *rows) as database:
        inbox = PostgresInboxStore(database=database)
        verdicts = {
            session: (await inbox.enter([received("one", session)]))[0].verdict
            for session in SESSIONS
        }
        assert verdicts == {
            "acme.a": Verdict.NEW,
            "acme.b": Verdict.TAKEN,
            "mallory.a": Verdict.NEW,
            "a": Verdict.NEW,
            "b": Verdict.TAKEN,
        }
        together = await inbox.enter([received("two", session) for session in SESSIONS])
        assert [entry.verdict for entry in together] == [*verdicts.values()]
        changes = PostgresChangeStore(database=database, worker_id=WORKER)
        await changes.commit([finished("one", session="acme.a")])
        assert await value(database, "SELECT count(*) FROM outbox") == 1
        found = {
            session: (await inbox.look(received("one", session))).verdict for session in SESSIONS
        }
        assert found == {
            "acme.a": Verdict.FINISHED,
            "acme.b": Verdict.TAKEN,
            "mallory.a": Verdict.INTERRUPTED,
            "a": Verdict.INTERRUPTED,
            "b": Verdict.TAKEN,
        }
        (again,) = await inbox.enter([received("one", "acme.a")])
        assert again.outcome is not None
        assert again.outcome.command_id == "one"
        await inbox.suspend("one", session_id="mallory.a")
        assert (await inbox.look(received("one", "mallory.a"))).verdict is Verdict.KNOWN
        assert (await inbox.look(received("one", "a"))).verdict is Verdict.INTERRUPTED


async def test_what_is_known_of_a_run_is_each_tenants_own(
    database_url: str, tmp_path: Path
) -> None:
    """A send that was interrupted is not sent again because its namesake's trace was read."""
    sessions = sessions_on(session_ports(UnaskedRecorder()), worker_id=WORKER, directory=tmp_path)
    stop = asyncio.Event()
    async with opened(database_url, session_row("acme.a"), session_row("mallory.a")) as database:
        store = PostgresInboxStore(database=database)
        await store.enter([received("one", "acme.a"), received("one", "mallory.a")])
        async with running(
            Inbox(store=store), worker_stop=stop, grace_seconds=30, name="i"
        ) as inbox:
            attempts = Attempts(
                worker_id=WORKER,
                manager=sessions.manager,
                inbox=inbox,
                postponer=UnaskedPublisher(),
                clock=sessions.clock,
            )
            of_acme, of_mallory = sent("acme.a"), sent("mallory.a")
            for command in (of_acme, of_mallory):
                assert (await attempts.enter(command)).verdict is Verdict.INTERRUPTED
            attempts.traced(of_mallory)
            for command in (of_acme, of_mallory):
                await attempts.put_back(command)

        found = {
            session: (await store.look(received("one", session))).verdict
            for session in ("acme.a", "mallory.a")
        }
    assert found == {"acme.a": Verdict.INTERRUPTED, "mallory.a": Verdict.KNOWN}


def sent(session: str) -> MessageSend:
    """Return a send of one id."""
    data = MessageSendData(to="+12025550101", content=TextToSend(text="hi"))
    return MessageSend(id="one", source="/backends/test", subject=session, data=data)
