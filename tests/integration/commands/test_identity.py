"""A command's id names one command: another one under it is refused, and the first stands."""

import json
from datetime import UTC, datetime, timedelta

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    MessageSend,
    MessageSendData,
    SessionGetQr,
    TextToSend,
    encode,
)
from gateway_worker.commands.ports import Verdict
from gateway_worker.devkit.backend import Backend
from gateway_worker.sessions.changes import CommandState
from gateway_worker.storage.db import Database, PostgresInboxStore
from tests.integration.commands.conftest import CONNECTING
from tests.integration.commands.support import Station
from tests.integration.commands.test_outcomes import get_status, nothing_is_left, send
from tests.integration.commands.test_waiting import patient, waits
from tests.integration.storage.db.support import received, value
from tests.support.dead_letters import DeadLetters

__all__ = ["patient"]


def says(command_id: str, text: str, **more: object) -> MessageSend:
    """Return a send with this id and text."""
    return MessageSend(
        id=command_id,
        source="/backends/test",
        subject="a",
        data=MessageSendData(to="+12025550101", content=TextToSend(text=text)),
        **more,
    )


async def answer(backend: Backend, body: bytes, session_id: str = "a") -> CommandFailed:
    """Publish a body and return the failure that comes next."""
    seen = len(backend.arrivals)
    await backend.publish_raw(body, session_id=session_id)
    return await backend.expect(CommandFailed, session_id, after=seen)


async def test_another_text_under_a_used_id_is_refused(
    station: Station, backend: Backend, database: Database, dead_letters: DeadLetters
) -> None:
    """The event says that it is about a second command; the outcome of the first stays."""
    first = await answer(backend, encode(says("order-7", "first")))
    assert first.data.error.code is ErrorCode.SESSION_NOT_CONNECTED
    stored = await value(database, "SELECT outcome::text FROM commands")

    second = await answer(backend, encode(says("order-7", "second")))
    assert second.data.error.code is ErrorCode.INVALID_COMMAND
    assert [fault.pointer for fault in second.data.error.errors] == ["/id"]
    assert (second.data.id_conflict, second.data.repeated, second.data.attempts) == (True, False, 0)
    assert not first.data.id_conflict
    assert (await dead_letters.next()).code == "invalid_command"
    assert await value(database, "SELECT outcome::text FROM commands") == stored

    again = await answer(backend, encode(says("order-7", "first")))
    assert (again.data.repeated, again.data.id_conflict) == (True, False)
    await nothing_is_left(station)


async def test_the_same_command_written_otherwise_is_a_repeat(
    station: Station, backend: Backend
) -> None:
    """Order of fields, white space, defaults, unknown fields, time, trace and deadline."""
    await answer(backend, encode(says("order-8", "hello")))
    later = datetime.now(UTC) + timedelta(hours=1)
    written = json.loads(
        encode(
            says(
                "order-8",
                "hello",
                expirytime=later,
                time=later,
                traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
            )
        )
    )
    written["data"]["on_uncertain"] = "fail"
    written["data"]["reply_to"] = None
    written["data"]["of_a_later_release"] = 1
    backwards = dict(reversed(written.items()))
    again = await answer(backend, json.dumps(backwards, indent=3).encode())
    assert again.data.repeated
    await nothing_is_left(station)


async def test_another_command_under_the_id_of_one_that_waits(
    patient: Station, backend: Backend
) -> None:
    """Refused at once; the first goes on waiting."""
    waiting = await waits(backend, patient)
    look_up = SessionGetQr(id=waiting, source=backend.source, subject=CONNECTING)
    refused = await answer(backend, encode(look_up), CONNECTING)
    assert refused.data.error.code is ErrorCode.INVALID_COMMAND
    assert refused.data.id_conflict
    assert patient.dispatcher.stuck == 1


async def test_a_success_is_not_taken_for_a_failure(station: Station, backend: Backend) -> None:
    """A look-up that succeeded, then a send under its id: never sent, and never `succeeded`."""
    look_up = get_status("a")
    assert isinstance(await backend.request(look_up), CommandSucceeded)
    refused = await answer(backend, encode(send("a").model_copy(update={"id": look_up.id})))
    assert refused.data.id_conflict
    await nothing_is_left(station)


async def test_two_contents_in_one_batch(database: Database) -> None:
    """The first in the batch has the id."""
    inbox = PostgresInboxStore(database=database)
    one, other = (received("x", "a", said=said) for said in ("one", "other"))
    entries = await inbox.enter([one, other, one])
    assert [entry.verdict for entry in entries] == [
        Verdict.NEW,
        Verdict.DIFFERENT,
        Verdict.INTERRUPTED,
    ]
    (later,) = await inbox.enter([other])
    assert later.verdict is Verdict.DIFFERENT


async def test_a_replay_of_the_second_leaves_the_first_alone(
    station: Station, backend: Backend, database: Database
) -> None:
    """The operator's tool asks for the command of that content."""
    await answer(backend, encode(says("order-9", "first")))
    inbox = PostgresInboxStore(database=database)
    for said, expected in (("another", None), (None, CommandState.FAILED)):
        found = await inbox.reopen(
            "order-9", session_id="a", states={CommandState.SUCCEEDED}, fingerprint=said
        )
        assert found == expected
    assert await value(database, "SELECT state FROM commands") == "failed"
    await nothing_is_left(station)
