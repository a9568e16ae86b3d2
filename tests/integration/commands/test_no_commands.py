"""What is no command is never answered, and what is refused is not answered without an end."""

import asyncio
from collections.abc import AsyncIterator

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from pamqp.common import FieldTable

from gateway_contracts import (
    BackendTopology,
    CommandFailed,
    CommandFailedData,
    ErrorBody,
    ErrorCode,
    SessionGetStatus,
    encode,
    new_id,
)
from gateway_worker.broker import BrokerSettings
from gateway_worker.devkit.backend import Backend
from tests.integration.commands.support import Station
from tests.integration.commands.test_outcomes import get_status, nothing_is_left
from tests.support.dead_letters import DeadLetters
from tests.support.eventually import eventually

EVENT = CommandFailed(
    source="/workers/w",
    subject="a",
    correlationid=new_id(),
    data=CommandFailedData(
        command_type="wa.session.get_status.v1",
        error=ErrorBody.of(ErrorCode.INVALID_COMMAND, "no"),
        attempts=0,
    ),
)
FLOOD = 600


@pytest.fixture
async def channel(amqp_url: str) -> AsyncIterator[AbstractChannel]:
    """A client that may do anything."""
    async with await aio_pika.connect(amqp_url) as connection:
        yield await connection.channel()


async def answered(backend: Backend, session_id: str = "a") -> int:
    """Ask something, and return how many outcomes there are then."""
    await backend.request(get_status(session_id))
    told = [event for event in backend.events_of(session_id) if event.id != EVENT.id]
    return len([event for event in told if event.type.startswith("wa.command.")])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(encode(EVENT), id="an event"),
        pytest.param(encode(EVENT).replace(b"failed.v1", b"failed.v7"), id="of a later version"),
        pytest.param(encode(EVENT).replace(b"command.failed", b"mood.told"), id="of a later type"),
        pytest.param(encode(EVENT).replace(b"/workers/w", b"/backends/b"), id="sender changed"),
        pytest.param(encode(EVENT)[:-1], id="broken"),
        pytest.param(encode(EVENT) + b" " * 300_000, id="too large"),
    ],
)
async def test_an_event_that_comes_in_as_a_command_has_no_effect(
    station: Station, backend: Backend, dead_letters: DeadLetters, body: bytes
) -> None:
    """No answer, which would come back too; no dead letter, which would be a copy of everything."""
    await backend.publish_raw(body, session_id="a", message_id="e1", kind=EVENT.type)
    await eventually(lambda: station.dispatcher.refusals.events_ignored == 1)

    assert await answered(backend) == 1
    assert dead_letters._letters.empty()
    await nothing_is_left(station)


async def test_an_event_whose_body_says_nothing_is_known_by_its_type(
    station: Station, backend: Backend
) -> None:
    """The broker's property is what is left of it."""
    await backend.publish_raw(b"rubbish", session_id="a", message_id="e1", kind=EVENT.type)
    await eventually(lambda: station.dispatcher.refusals.events_ignored == 1)
    assert await answered(backend) == 1


async def test_a_command_that_says_that_a_worker_has_sent_it_is_kept_and_not_answered(
    station: Station, backend: Backend, dead_letters: DeadLetters
) -> None:
    """Workers send none; whoever made it may look at the dead letters."""
    command = SessionGetStatus(source="/workers/w", subject="a")
    await backend.publish(command)
    letter = await dead_letters.next()

    assert letter.code == ErrorCode.INVALID_COMMAND
    assert "source" in letter.reason
    assert await answered(backend) == 1


@pytest.mark.parametrize("way", ["events", "unrouted", "heartbeats", "dead-lettered"])
async def test_output_that_is_joined_to_the_input_makes_no_loop(
    station: Station,
    backend: Backend,
    channel: AbstractChannel,
    settings: BrokerSettings,
    way: str,
) -> None:
    """Whoever may bind, as a trusted backend or an administrator may, makes work and no more."""
    topology = settings.topology
    commands = await channel.get_exchange(topology.commands)
    if way == "dead-lettered":
        own = BackendTopology(service="crm", topology=topology)
        returning: FieldTable = {"x-message-ttl": 0, "x-dead-letter-exchange": topology.commands}
        queue = await channel.declare_queue(
            own.events_queue().name,
            durable=True,
            arguments=returning | {"x-dead-letter-routing-key": "a"},
        )
        await queue.bind(topology.events, "#")
    else:
        source = {
            "events": topology.events,
            "unrouted": topology.events_unrouted,
            "heartbeats": topology.heartbeats,
        }[way]
        await commands.bind(source, "#")
    for number in range(3):
        assert await answered(backend) == number + 1
    if way == "heartbeats":
        beats = await channel.get_exchange(topology.heartbeats)
        await beats.publish(aio_pika.Message(encode(EVENT)), routing_key="worker.heartbeat.w")
    if way != "unrouted":
        await eventually(lambda: station.dispatcher.refusals.events_ignored >= 1)
    await nothing_is_left(station)
    assert await answered(backend) == 4, "each question has one answer"


async def test_refusals_are_told_so_often_and_no_more(
    station: Station, backend: Backend, dead_letters: DeadLetters
) -> None:
    """One sender's rubbish is kept and no longer answered; another one is still told."""

    def rubbish(source: str) -> bytes:
        return (
            encode(get_status("a", id=new_id()))
            .replace(b"/backends/test", source.encode())
            .replace(b"get_status", b"get_nothing")
        )

    async with asyncio.TaskGroup() as tasks:
        for _ in range(FLOOD):
            tasks.create_task(backend.publish_raw(rubbish("/backends/loud"), session_id="a"))
    letters = [await dead_letters.next() for _ in range(FLOOD)]
    assert {letter.code for letter in letters} == {ErrorCode.INVALID_COMMAND}
    untold = station.dispatcher.refusals.untold
    assert untold > 0
    told = [event for event in backend.events_of("a") if isinstance(event, CommandFailed)]
    assert len(told) <= FLOOD - untold

    await backend.publish_raw(rubbish("/backends/quiet"), session_id="a")
    await eventually(
        lambda: (
            len([e for e in backend.events_of("a") if isinstance(e, CommandFailed)])
            == FLOOD - untold + 1
        )
    )
    assert station.dispatcher.refusals.untold == untold
