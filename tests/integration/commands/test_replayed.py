"""What becomes of a command that is replayed from the dead letters while a worker runs."""

from collections.abc import Awaitable, Callable

import aio_pika
import pytest
from aio_pika.abc import HeadersType

from gateway_contracts import (
    CommandEnvelope,
    CommandFailed,
    CommandSucceeded,
    ErrorBody,
    ErrorCode,
    encode,
)
from gateway_worker.broker import BrokerSettings
from gateway_worker.devkit.backend import Backend
from gateway_worker.sessions.changes import Change, Outcome
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresSessionStore,
)
from tests.integration.commands.conftest import STOPPED
from tests.integration.commands.support import Station
from tests.integration.commands.test_outcomes import get_status, nothing_is_left
from tests.integration.storage.db.support import WORKER, session_row, value
from tests.support.commands import Ctl

Bury = Callable[[CommandEnvelope], Awaitable[None]]


@pytest.fixture
def bury(amqp_url: str, settings: BrokerSettings) -> Bury:
    """Put a copy of a command to the dead letters, as if it had been delivered too often."""

    async def put(command: CommandEnvelope) -> None:
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            exchange = await channel.get_exchange(settings.topology.internal_dead, ensure=False)
            key = command.subject
            headers: HeadersType = {"wa-dead-routing-key": key}
            letter = aio_pika.Message(encode(command), message_id=command.id, headers=headers)
            await exchange.publish(letter, routing_key=key)

    return put


async def test_what_failed_is_executed_when_its_cause_is_gone(
    ctl: Ctl, station: Station, backend: Backend, database: Database
) -> None:
    """Its backend gets a second outcome, no repeat of the first; its attempts count anew."""
    command = get_status("later")
    first = await backend.request(command)
    assert isinstance(first, CommandFailed)
    assert first.data.error.code is ErrorCode.SESSION_NOT_FOUND
    await nothing_is_left(station)
    await PostgresSessionStore(database=database).create(session_row("later", **STOPPED))
    after = len(backend.arrivals)
    answer = await ctl("dead", "replay", command.id, "--json")

    assert (answer.code, answer.err) == (0, "")
    assert answer.json == {"replayed": 1, "missing": [], "kept": {}, "reopened": 1}
    second = await backend.expect(CommandSucceeded, "later", after=after)
    assert (second.correlationid, second.data.repeated) == (command.id, False)
    assert await value(database, "SELECT state || attempts FROM commands") == "succeeded1"
    assert (await ctl("dead", "list", "--json")).json == []
    await nothing_is_left(station)


async def test_what_fails_again_is_a_dead_letter_again(
    ctl: Ctl, station: Station, backend: Backend
) -> None:
    """And its backend is told of it, as of something new."""
    command = get_status("never")
    await backend.request(command)
    await nothing_is_left(station)
    after = len(backend.arrivals)
    assert (await ctl("dead", "replay", "--all")).out == "replayed 1\n"

    second = await backend.expect(CommandFailed, "never", after=after)
    assert (second.correlationid, second.data.repeated) == (command.id, False)
    await nothing_is_left(station)
    assert [letter["id"] for letter in (await ctl("dead", "list", "--json")).json] == [command.id]


async def test_what_has_succeeded_is_only_told_again(
    ctl: Ctl, station: Station, backend: Backend, database: Database, bury: Bury
) -> None:
    """Also with the flag for what is uncertain."""
    command = get_status("a")
    await backend.request(command)
    await bury(command)
    after = len(backend.arrivals)
    answer = await ctl("dead", "replay", command.id, "--resend-uncertain")

    assert (answer.code, answer.out) == (0, "replayed 1\n")
    assert answer.err.endswith("is not executed again, only told: it has succeeded\n")
    again = await backend.expect(CommandSucceeded, "a", after=after)
    assert (again.correlationid, again.data.repeated) == (command.id, True)
    assert await value(database, "SELECT state || attempts FROM commands") == "succeeded1"
    await nothing_is_left(station)


async def test_what_is_uncertain_is_executed_only_if_that_is_said(
    ctl: Ctl, station: Station, backend: Backend, database: Database, bury: Bury
) -> None:
    """Without it the uncertain end is told once more, and the operator learns of the flag."""
    command = get_status("a")
    outcome = Outcome(
        command_id=command.id, command_type=command.type, error=ErrorBody.of(ErrorCode.UNCERTAIN)
    )
    changes = PostgresChangeStore(database=database, worker_id=WORKER)
    epoch = station.manager.registry.epoch_of("a")
    await changes.commit([Change(session_id="a", epoch=epoch, outcome=outcome)])
    await bury(command)
    told = await ctl("dead", "replay", command.id)

    assert "--resend-uncertain" in told.err
    again = await backend.expect(CommandFailed, "a")
    assert (again.data.error.code, again.data.repeated) == (ErrorCode.UNCERTAIN, True)
    await bury(command)
    executed = await ctl("dead", "replay", command.id, "--resend-uncertain", "--json")
    assert (executed.json["reopened"], executed.err) == (1, "")
    await backend.expect(CommandSucceeded, "a")
    await nothing_is_left(station)


async def test_without_a_database_nothing_is_replayed(
    ctl: Ctl, station: Station, backend: Backend, bury: Bury
) -> None:
    """The letter stays where it was."""
    command = get_status("a")
    await bury(command)
    answer = await ctl(
        *("dead", "replay", "--all"), DATABASE_URL="postgresql://nobody@127.0.0.1:1/none"
    )

    assert (answer.code, answer.out) == (1, "")
    assert "the database cannot be reached" in answer.err
    assert "Traceback" not in answer.err
    assert [letter["id"] for letter in (await ctl("dead", "list", "--json")).json] == [command.id]
    await nothing_is_left(station)
    assert backend.events_of("a") == []
    assert station.settled == []
