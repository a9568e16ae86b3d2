"""Each command has one outcome, is announced and settled: the good, the bad and the repeated."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    MessageReceipt,
    MessageReceiptData,
    MessageSend,
    MessageSendData,
    OnUncertain,
    Participant,
    ReceiptStatus,
    SentInfo,
    SessionGetStatus,
    SessionInfo,
    SessionState,
    SessionStop,
    TextToSend,
    encode,
)
from gateway_worker.broker import BrokerSettings
from gateway_worker.commands.ports import Received
from gateway_worker.devkit.backend import Backend
from gateway_worker.errors import DependencyError
from gateway_worker.host_protocol.methods.messages import Sent
from gateway_worker.sessions.changes import Change
from gateway_worker.sessions.found_sends import FoundSend
from gateway_worker.sessions.inbound import receipts
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresInboxStore
from tests.integration.commands.conftest import CONNECTING
from tests.integration.commands.support import Station, working
from tests.integration.storage.db.support import SEND, WORKER, count, value
from tests.support.dead_letters import DeadLetters
from tests.support.eventually import eventually


def get_status(session_id: str, **more: Any) -> SessionGetStatus:
    """Ask how a session stands."""
    return SessionGetStatus(source="/backends/test", subject=session_id, **more)


def send(session_id: str, on_uncertain: OnUncertain = OnUncertain.FAIL) -> MessageSend:
    """Send a text."""
    data = MessageSendData(
        to="+12025550101", content=TextToSend(text="hello"), on_uncertain=on_uncertain
    )
    return MessageSend(source="/backends/test", subject=session_id, data=data)


async def nothing_is_left(station: Station) -> None:
    """Wait until every command is settled, in the worker and in its queue."""

    async def is_empty() -> bool:
        try:
            return station.consumer.in_flight == 0 and await station.broker.depth() == 0
        except DependencyError:
            return False  # the connection was cut a moment ago

    await eventually(is_empty, reason="everything is settled")


async def test_a_command_succeeds(station: Station, backend: Backend, database: Database) -> None:
    """Its result comes with the session's next number, and its row has the end."""
    outcome = await backend.request(get_status("a", tenantid="acme"))

    assert isinstance(outcome, CommandSucceeded)
    assert isinstance(outcome.data.result, SessionInfo)
    assert outcome.data.result.state is SessionState.STOPPED
    assert (outcome.sequence, outcome.tenantid) == (f"{1:020d}", "acme")
    assert not outcome.data.repeated
    assert await value(database, "SELECT state FROM commands") == "succeeded"
    await nothing_is_left(station)


async def test_a_session_that_nobody_knows(
    station: Station, backend: Backend, dead_letters: DeadLetters
) -> None:
    """The outcome has no number, as there is no stream; the command is kept for an operator."""
    command = get_status("unknown")
    outcome = await backend.request(command)

    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.SESSION_NOT_FOUND
    assert outcome.sequence is None
    letter = await dead_letters.next()
    assert (letter.code, letter.body) == ("session_not_found", encode(command))
    await nothing_is_left(station)


async def test_a_body_that_is_no_command(
    station: Station, backend: Backend, dead_letters: DeadLetters, database: Database
) -> None:
    """Told to the sender if that can be read, with the session's number; nothing is executed."""
    command = json.loads(encode(send("a")))
    command["data"]["to"] = "nobody"
    await backend.publish_raw(json.dumps(command).encode(), session_id="a")
    outcome = await backend.outcome(command["id"])

    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.INVALID_COMMAND
    assert [error.pointer for error in outcome.data.error.errors] == ["/data/to"]
    assert outcome.sequence == f"{1:020d}"
    await backend.publish_raw(b"\xff not JSON", session_id="b")
    assert [(await dead_letters.next()).code for _ in range(2)] == ["invalid_command"] * 2
    assert await count(database, "commands") == 0
    await nothing_is_left(station)


async def test_a_deadline_that_has_passed(
    station: Station, backend: Backend, dead_letters: DeadLetters
) -> None:
    """Nothing is done; one that is still to come is no hindrance."""
    now = datetime.now(UTC)
    late = await backend.request(get_status("a", expirytime=now - timedelta(seconds=1)))
    good = await backend.request(get_status("a", expirytime=now + timedelta(hours=1)))

    assert isinstance(late, CommandFailed)
    assert late.data.error.code is ErrorCode.EXPIRED
    assert (await dead_letters.next()).code == "expired"
    assert isinstance(good, CommandSucceeded)
    await nothing_is_left(station)


async def test_a_repeated_command_gets_the_same_outcome(
    station: Station, backend: Backend, database: Database
) -> None:
    """Marked as repeated, with a number of its own; it is not executed again."""
    first = await backend.request(SessionStop(source=backend.source, subject="a"))
    assert isinstance(first, CommandSucceeded)
    again = SessionStop(source=backend.source, subject="a", id=first.correlationid or "")
    before = len(backend.arrivals)
    await backend.publish(again)
    second = await backend.expect(CommandSucceeded, "a", after=before)

    assert second.correlationid == first.correlationid
    assert second.data.result == first.data.result
    assert second.data.repeated
    assert second.id != first.id
    assert await value(database, "SELECT attempts FROM commands") == 1
    assert station.settled[-1][1] == "repeated"
    await nothing_is_left(station)


async def test_a_bad_outcome_is_repeated_too(station: Station, backend: Backend) -> None:
    """A session that is not connected then may be now; the command was answered all the same."""
    command = send("a")
    first = await backend.request(command)
    assert isinstance(first, CommandFailed)
    assert first.data.error.code is ErrorCode.SESSION_NOT_CONNECTED
    before = len(backend.arrivals)
    await backend.publish(command)
    second = await backend.expect(CommandFailed, "a", after=before)

    assert (second.data.error, second.data.repeated) == (first.data.error, True)
    await nothing_is_left(station)


async def test_the_same_command_published_many_times_at_once(
    station: Station, backend: Backend, database: Database
) -> None:
    """One execution, whichever of them the worker takes."""
    command = SessionStop(source=backend.source, subject="a")
    await asyncio.gather(*(backend.publish(command) for _ in range(20)))
    await backend.outcome(command.id)
    await nothing_is_left(station)

    assert await value(database, "SELECT attempts FROM commands") == 1
    outcomes = [e for e in backend.events_of("a") if isinstance(e, CommandSucceeded)]
    assert [outcome.data.repeated for outcome in outcomes[:2]] == [False, True][: len(outcomes)]


async def test_an_id_that_another_session_has_used(
    station: Station, backend: Backend, dead_letters: DeadLetters
) -> None:
    """It is invalid, and tells nothing of the other session's command."""
    first = await backend.request(get_status("a"))
    before = len(backend.arrivals)
    await backend.publish(get_status("b", id=first.correlationid))
    second = await backend.expect(CommandFailed, "b", after=before)

    assert second.data.error.code is ErrorCode.INVALID_COMMAND
    assert [error.pointer for error in second.data.error.errors] == ["/id"]
    assert not second.data.repeated
    assert (await dead_letters.next()).code == "invalid_command"
    await nothing_is_left(station)


@pytest.mark.parametrize(
    ("on_uncertain", "code", "attempts"),
    [
        (OnUncertain.FAIL, ErrorCode.UNCERTAIN, 2),
        (OnUncertain.RESEND, ErrorCode.SESSION_NOT_CONNECTED, 2),
    ],
)
async def test_a_send_that_a_killed_worker_had_begun(
    station: Station,
    backend: Backend,
    database: Database,
    on_uncertain: OnUncertain,
    code: ErrorCode,
    attempts: int,
) -> None:
    """It may have arrived: by default it is not tried again; who accepts a double may say so."""
    command = send("a", on_uncertain)
    await PostgresInboxStore(database=database).enter([_begun(command.id)])
    outcome = await backend.request(command)

    assert isinstance(outcome, CommandFailed)
    assert (outcome.data.error.code, outcome.data.attempts) == (code, attempts)
    await nothing_is_left(station)


@pytest.mark.parametrize("is_acknowledged", [True, False])
async def test_a_send_of_which_a_disk_has_told_an_owner_that_is_gone(
    station: Station, backend: Backend, database: Database, *, is_acknowledged: bool
) -> None:
    """Its end is what the disk knew: that it was sent, or which message it would be."""
    command, chat = send("a"), "12025550101@s.whatsapp.net"
    await PostgresInboxStore(database=database).enter([_begun(command.id)])
    sent = Sent(message_id="3EB0AB", chat=chat, timestamp=1_700_000_000)
    told = FoundSend(
        command_id=command.id,
        chat=chat,
        message_id="3EB0AB",
        sent=sent if is_acknowledged else None,
    )
    change = Change(
        session_id="a",
        epoch=station.manager.registry.epoch_of("a"),
        events=(told.resolved(source="/workers/before", session_id="a"),),
        found=told,
    )
    await PostgresChangeStore(database=database, worker_id=WORKER).commit([change])

    outcome = await backend.request(command)
    if is_acknowledged:
        assert isinstance(outcome, CommandSucceeded)
        assert isinstance(outcome.data.result, SentInfo)
        assert outcome.data.result.message_id == "3EB0AB"
    else:
        assert isinstance(outcome, CommandFailed)
        assert outcome.data.error.code is ErrorCode.UNCERTAIN
        assert (outcome.data.message_id, outcome.data.chat) == ("3EB0AB", chat)
    await nothing_is_left(station)


async def test_receipts_do_not_wait_for_a_send_that_is_settled(
    station: Station, backend: Backend, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed worker had begun it; once it has its end here, they are looked at at once."""
    monkeypatch.setattr(receipts, "NEXT_LOOK_SECONDS", 3600.0)
    command, looks = send("a"), list[None]()
    await PostgresInboxStore(database=database).enter([_begun(command.id)])
    session = station.manager.registry.find("a")
    assert session is not None
    session.sends.when_over(lambda: looks.append(None))
    chat = "12025550101@s.whatsapp.net"
    data = MessageReceiptData(
        message_id="3EB0AB",
        chat=chat,
        status=ReceiptStatus.DELIVERED,
        participant=Participant(jid=chat),
        timestamp=datetime.now(UTC),
    )
    receipt = MessageReceipt(source="/workers/before", subject="a", data=data)
    async with asyncio.TaskGroup() as tasks:
        recorded = tasks.create_task(session.record_forwarded([encode(receipt)]))
        outcome = await backend.request(command)
    told = await backend.expect(MessageReceipt, "a")

    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.UNCERTAIN
    assert recorded.result()
    assert (told.data.message_id, told.correlationid) == ("3EB0AB", None)
    assert looks


async def test_another_command_that_a_killed_worker_had_begun(
    station: Station, backend: Backend, database: Database
) -> None:
    """It is executed again, because it does no harm."""
    command = get_status("a")
    await PostgresInboxStore(database=database).enter([_begun(command.id)])

    assert isinstance(await backend.request(command), CommandSucceeded)
    assert await value(database, "SELECT attempts FROM commands") == 2


async def test_a_worker_killed_while_a_send_waits_for_its_session(
    database: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> None:
    """Nothing of it had begun, so nothing is uncertain: its successor tries for itself."""
    command = send(CONNECTING)
    waits = "SELECT count(*) FROM commands WHERE state = 'received'"
    async with working(database, settings, tmp_path) as first:
        await backend.publish(command)
        await eventually(lambda: value(database, waits), reason="the command waits")
        await first.kill()
    async with working(database, settings, tmp_path) as second:
        outcome = await backend.outcome(command.id)
        await nothing_is_left(second)

    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.SESSION_NOT_CONNECTED
    assert await value(database, "SELECT state FROM commands") == "failed"


async def test_an_outcome_that_the_database_refuses(
    station: Station, backend: Backend, database: Database, dead_letters: DeadLetters
) -> None:
    """A fault of the gateway ends one command, with an error, and holds nothing up."""
    rule = "ALTER TABLE commands ADD CHECK (outcome IS NULL OR NOT outcome ? 'result')"
    async with database.direct("preparing") as connection:
        await connection.execute(rule)
    outcome = await backend.request(get_status("a"))

    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.INTERNAL
    assert (await dead_letters.next()).code == "internal"
    later = await backend.request(send("a"))
    assert isinstance(later, CommandFailed)
    assert later.data.error.code is ErrorCode.SESSION_NOT_CONNECTED
    await nothing_is_left(station)


def _begun(command_id: str) -> Received:
    return Received(command_id=command_id, session_id="a", command_type=SEND, worker_id=WORKER)
