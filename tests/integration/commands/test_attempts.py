"""What fails for a while is tried again in its place, and in the end told and put aside."""

from gateway_contracts import CommandFailed, ErrorCode
from gateway_worker.devkit.backend import Backend
from gateway_worker.storage.db import Database
from tests.integration.commands.conftest import CONNECTING
from tests.integration.commands.support import Station
from tests.integration.commands.test_order import outcomes
from tests.integration.commands.test_outcomes import get_status, nothing_is_left, send
from tests.integration.storage.db.support import value
from tests.support.dead_letters import DeadLetters


async def test_nothing_overtakes_a_command_that_is_tried_again(
    station: Station, backend: Backend, database: Database
) -> None:
    """Its session seems to connect, and never does."""
    first, second = send(CONNECTING), get_status(CONNECTING)
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
