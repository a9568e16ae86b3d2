"""What only reads the database: answered at once, whatever the session does, and never kept."""

from datetime import timedelta

import pytest

from gateway_contracts import (
    CommandEnvelope,
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    MessageHistory,
    MessageHistoryData,
    MessagePage,
    ScheduledSends,
    ScheduleList,
    encode,
)
from gateway_worker.commands.handlers import HANDLERS
from gateway_worker.devkit.backend import Backend
from gateway_worker.storage.db import Database, PostgresChangeStore
from tests.integration.commands.support import Station
from tests.integration.commands.test_scheduled import at
from tests.integration.commands.test_stranded import LOST, attending, lost
from tests.integration.storage.db.support import OTHER, WORKER, message, value
from tests.integration.storage.db.test_deferred import put_off

__all__ = ["attending", "lost"]


def history(session_id: str, **data: object) -> MessageHistory:
    """Return the question for a page of messages."""
    return MessageHistory(
        source="/backends/test",
        subject=session_id,
        data=MessageHistoryData.model_validate(data),
    )


async def answer(backend: Backend, command: CommandEnvelope) -> CommandSucceeded:
    """Ask, and return the answer."""
    seen = len(backend.arrivals)
    await backend.publish(command)
    return await backend.expect(CommandSucceeded, command.subject, after=seen)


async def page(backend: Backend, command: CommandEnvelope) -> tuple[list[str], bool]:
    """Return the ids of a page, and whether it answers a repeat."""
    outcome = await answer(backend, command)
    result = outcome.data.result
    assert isinstance(result, MessagePage)
    return [one.message_id for one in result.messages], outcome.data.repeated


async def test_a_repeat_is_answered_anew(
    station: Station, backend: Backend, database: Database
) -> None:
    """A page is not stored beside the messages that it is made of."""
    assert not station.settled
    changes = PostgresChangeStore(database=database, worker_id=WORKER)
    epoch = await value(database, "SELECT epoch FROM sessions WHERE id = 'a'")
    await changes.commit([message(1, session="a", epoch=epoch)])
    question = history("a")

    assert await page(backend, question) == (["M1"], False)
    await changes.commit([message(2, session="a", epoch=epoch)])
    assert await page(backend, question) == (["M2", "M1"], True)

    stored = await value(database, f"SELECT outcome::text FROM commands WHERE id = '{question.id}'")
    assert stored == "{}"


async def test_a_fault_in_a_question_is_its_end(station: Station, backend: Backend) -> None:
    """It stays that, as with every command."""
    assert not station.settled
    question = history("a", cursor="made-up")
    for repeated in (False, True):
        seen = len(backend.arrivals)
        await backend.publish(question)
        outcome = await backend.expect(CommandFailed, "a", after=seen)
        assert outcome.data.error.code is ErrorCode.INVALID_COMMAND
        assert [fault.pointer for fault in outcome.data.error.errors] == ["/data/cursor"]
        assert outcome.data.repeated is repeated


async def test_of_a_session_that_nobody_runs(
    attending: Station, backend: Backend, database: Database
) -> None:
    """The database has what is asked for."""
    assert not attending.settled
    changes = PostgresChangeStore(database=database, worker_id=OTHER)
    await changes.commit([message(1, session=LOST)])

    question = history(LOST)
    assert await page(backend, question) == (["M1"], False)
    assert await page(backend, question) == (["M1"], True)


async def test_what_is_scheduled_in_a_session_that_nobody_runs(
    attending: Station, backend: Backend, database: Database
) -> None:
    """It is told, and told anew."""
    assert not attending.settled
    waiting = at(timedelta(days=1), LOST)
    changes = PostgresChangeStore(database=database, worker_id=OTHER)
    await changes.commit([put_off(waiting.id, session=LOST, body=encode(waiting))])
    question = ScheduleList(source="/backends/test", subject=LOST)

    for repeated in (False, True):
        outcome = await answer(backend, question)
        assert isinstance(outcome.data.result, ScheduledSends)
        assert [one.command_id for one in outcome.data.result.scheduled] == [waiting.id]
        assert outcome.data.repeated is repeated


@pytest.mark.parametrize("name", ["wa.schedule.list.v1", "wa.bulk.status.v1"])
def test_these_are_told_after_what_was_asked_before_them(name: str) -> None:
    """So that a backend finds what it has just scheduled."""
    handler = HANDLERS[name]
    assert handler.look is not None
    assert (handler.needs.name, handler.lane.name) == ("NOTHING", "LOOKUPS")


@pytest.mark.parametrize(
    "name",
    ["wa.message.history.v1", "wa.message.status.v1", "wa.chat.list.v1", "wa.contact.list.v1"],
)
def test_they_wait_for_nothing(name: str) -> None:
    """Not for the connection either."""
    handler = HANDLERS[name]
    assert handler.look is not None
    assert (handler.needs.name, handler.lane.name) == ("NOTHING", "FREE")
