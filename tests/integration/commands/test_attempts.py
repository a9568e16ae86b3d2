"""What fails for a while is tried again in its place, and in the end told and put aside."""

from pathlib import Path

from gateway_contracts import CommandFailed, ErrorCode, SessionCreate, SessionCreateData
from gateway_worker.broker import BrokerSettings
from gateway_worker.devkit.backend import Backend
from gateway_worker.storage.db import Database
from tests.integration.commands.conftest import CONNECTING
from tests.integration.commands.support import Station, working
from tests.integration.commands.test_order import outcomes
from tests.integration.commands.test_outcomes import nothing_is_left, send
from tests.integration.storage.db.support import value
from tests.support.dead_letters import DeadLetters


async def test_nothing_overtakes_a_command_that_is_tried_again(
    station: Station, backend: Backend, database: Database
) -> None:
    """Its session seems to connect, and never does."""
    first, second = send(CONNECTING), send(CONNECTING)
    await backend.publish(first)
    await backend.publish(second)
    await backend.outcome(second.id)

    assert outcomes(backend, CONNECTING) == [first.id, second.id]
    attempts = await value(database, f"SELECT attempts FROM commands WHERE id = '{first.id}'")
    assert attempts > 1
    assert station.dispatcher.waiting == 0


async def test_what_was_tried_often_enough_goes_to_the_dead_letters(
    station: Station, backend: Backend, dead_letters: DeadLetters
) -> None:
    """With its code, the reason and how often it was tried; the backend is told as well."""
    outcome = await backend.request(send(CONNECTING))
    letter = await dead_letters.next()

    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.SESSION_NOT_CONNECTED
    assert outcome.data.error.retryable
    assert letter.code == ErrorCode.SESSION_NOT_CONNECTED
    assert letter.attempts == outcome.data.attempts > 1
    await nothing_is_left(station)


async def test_a_creation_for_which_there_was_no_room_for_long_goes_there_too(
    distant: Database, settings: BrokerSettings, backend: Backend, amqp_url: str, tmp_path: Path
) -> None:
    """Whoever runs the gateway can make room and replay it."""
    create = SessionCreate(source=backend.source, subject="new", data=SessionCreateData())
    async with working(distant, settings, tmp_path, capacity=0) as station:
        outcome = await backend.request(create)
        async with DeadLetters.open(amqp_url, settings.topology) as letters:
            letter = await letters.next()
        await nothing_is_left(station)

    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.CAPACITY
    assert (letter.code, letter.attempts) == (ErrorCode.CAPACITY, outcome.data.attempts)
    assert letter.attempts > 1
