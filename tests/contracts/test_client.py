"""The client of the contracts package, on a real broker; the test stands for the workers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aio_pika.abc import AbstractChannel

from gateway_contracts import (
    BackendTopology,
    CommandFailed,
    CommandSucceeded,
    ErrorBody,
    ErrorCode,
    Event,
    SessionStop,
    Topology,
    encode,
    parse_command,
)
from gateway_contracts.client import (
    AccessRefusedError,
    BrokerUnreachableError,
    CommandFailedError,
    EventOrder,
    GatewayClient,
    NoOutcomeError,
    OwnQueues,
    TemporaryQueue,
)
from gateway_contracts.commands.done import Done
from gateway_contracts.envelope import format_sequence
from gateway_contracts.events.outcome import CommandFailedData, CommandSucceededData
from gateway_contracts.spec.examples import load_examples
from tests.contracts.broker import channel, declare, publish, read
from tests.contracts.support import body

WORKER = "/workers/w-0"


def succeeded(command_id: str, number: int) -> CommandSucceeded:
    """Return an outcome, the event with this number of the session `s`."""
    data = CommandSucceededData(command_type="wa.session.stop.v1", result=Done())
    return CommandSucceeded(
        id=f"e-{number}",
        source=WORKER,
        subject="s",
        sequence=format_sequence(number),
        correlationid=command_id,
        data=data,
    )


def stop() -> SessionStop:
    """Return a command."""
    return SessionStop(source="/backends/crm", subject="s")


@asynccontextmanager
async def fleet(amqp_url: str, topology: Topology) -> AsyncIterator[AbstractChannel]:
    """What workers have declared, and an operator for the backend `crm`."""
    crm = BackendTopology(service="crm", topology=topology)
    async with channel(amqp_url) as opened:
        await declare(
            opened,
            topology.exchanges(),
            topology.queues(),
            topology.bindings(),
            topology.exchange_bindings(),
        )
        await declare(opened, crm.exchanges(), crm.queues(), crm.bindings())
        yield opened


async def tell(opened: AbstractChannel, topology: Topology, event: Event) -> None:
    """Publish an event as a worker does."""
    key = topology.event_key(event.type, event.subject)
    await publish(opened, topology.events, key, encode(event))


async def test_a_command_is_answered(amqp_url: str, topology_prefix: str) -> None:
    """With its result, with its error, or not in time."""
    topology = Topology(prefix=topology_prefix)
    good, bad, late = stop(), stop(), stop()
    failed = CommandFailed(
        source=WORKER,
        subject="s",
        correlationid=bad.id,
        data=CommandFailedData(error=ErrorBody.of(ErrorCode.SESSION_NOT_FOUND)),
    )
    async with (
        fleet(amqp_url, topology) as opened,
        GatewayClient.open(
            amqp_url,
            queues=TemporaryQueue(service="crm", patterns=("command.*.s",)),
            topology=topology,
            reads_events=False,
        ) as client,
    ):
        asked = [asyncio.create_task(client.ask(one, Done)) for one in (good, bad)]
        inbox = await read(await opened.get_queue(topology.unassigned, ensure=False))
        arrived = {parse_command((await inbox.get()).body).id for _ in asked}
        assert arrived == {good.id, bad.id}
        await tell(opened, topology, failed)
        await tell(opened, topology, succeeded(good.id, 1))
        assert await asked[0] == Done()
        with pytest.raises(CommandFailedError) as refused:
            await asked[1]
        assert refused.value.error.code is ErrorCode.SESSION_NOT_FOUND
        with pytest.raises(NoOutcomeError) as missing:
            await client.request(late, seconds=0.05)
        assert missing.value.command_id == late.id


async def test_each_command_has_a_token_of_its_time(amqp_url: str, topology_prefix: str) -> None:
    """Where tenants are told apart by them; what the caller puts into the header stands."""
    topology, tokens = Topology(prefix=topology_prefix), iter(("first", "second", "third"))
    async with (
        fleet(amqp_url, topology) as opened,
        GatewayClient.open(
            amqp_url,
            queues=OwnQueues(service="crm"),
            topology=topology,
            token=lambda: next(tokens),
        ) as client,
    ):
        await client.publish(stop())
        await client.publish(stop())
        await client.publish(stop(), headers={"authorization": "Bearer own"})
        inbox = await read(await opened.get_queue(topology.unassigned, ensure=False))
        arrived = [(await inbox.get()).headers["authorization"] for _ in range(3)]
    assert arrived == ["Bearer first", "Bearer second", "Bearer own"]


async def test_events_come_in_order_and_once(amqp_url: str, topology_prefix: str) -> None:
    """Also to who comes back: what it has handled does not come again, what it has not does."""
    topology, order = Topology(prefix=topology_prefix), EventOrder()
    queues = OwnQueues(service="crm")
    async with fleet(amqp_url, topology) as opened:
        for number in (1, 2, 2, 3, 5):
            await tell(opened, topology, succeeded("c", number))
        await publish(opened, topology.events, "command.succeeded.s", b"no event")
        seen = []
        async with GatewayClient.open(
            amqp_url, queues=queues, topology=topology, order=order
        ) as client:
            async for received in client.events():
                seen.append(received.event.id)
                if len(seen) == 3:
                    break  # the third is not handled
        again = []
        async with GatewayClient.open(
            amqp_url, queues=queues, topology=topology, order=EventOrder(order.positions)
        ) as client:
            async for received in client.events():
                again.append((received.event.id, received.missing))
                if len(again) == 2:
                    break
        assert seen == ["e-1", "e-2", "e-3"]
        assert again == [("e-3", 0), ("e-5", 1)]
        dead = await opened.get_queue(f"{topology_prefix}.backend.crm.dead", ensure=False)
        assert (await (await read(dead)).get()).body == b"no event"


async def test_what_a_later_version_tells_leaves_no_gap(
    amqp_url: str, topology_prefix: str
) -> None:
    """A type that is not known is passed over in its turn; what is new in others is left out."""
    topology, order = Topology(prefix=topology_prefix), EventOrder()
    (example, *_) = load_examples("wa.message.received.v1")
    later = {**example.payload, "subject": "s", "id": "e-3", "sequence": format_sequence(3)}
    later["data"] = {**later["data"], "content": {"kind": "hologram"}, "weight": 1}
    unknown = {**later, "id": "e-2", "type": "wa.mood.changed.v1", "sequence": format_sequence(2)}
    async with fleet(amqp_url, topology) as opened:
        await tell(opened, topology, succeeded("c", 1))
        for payload in (unknown, later):
            await publish(opened, topology.events, "message.received.s", body(payload))
        seen = []
        async with GatewayClient.open(
            amqp_url, queues=OwnQueues(service="crm"), topology=topology, order=order
        ) as client:
            async for received in client.events():
                seen.append((received.event.id, received.missing))
                if len(seen) == 2:
                    break
        assert seen == [("e-1", 0), ("e-3", 0)]
        assert order.positions == {"s": 2}


async def test_what_is_not_there_or_does_not_answer_is_told(
    amqp_url: str, topology_prefix: str
) -> None:
    """At the start."""
    topology = Topology(prefix=topology_prefix)
    queues = OwnQueues(service="nobody")
    with pytest.raises(AccessRefusedError):
        async with GatewayClient.open(amqp_url, queues=queues, topology=topology):
            pass
    with pytest.raises(BrokerUnreachableError):
        async with GatewayClient.open("amqp://127.0.0.1:1/", queues=queues, topology=topology):
            pass
