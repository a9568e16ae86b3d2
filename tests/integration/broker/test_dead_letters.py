"""Commands that nobody can execute: kept for an operator, with the reason."""

import asyncio

from aio_pika.abc import AbstractIncomingMessage

from gateway_contracts import FieldError
from gateway_worker.broker import BrokerSettings
from gateway_worker.commands.ports import Delivery, Refusal, Settlement
from tests.integration.broker.support import (
    WORKER,
    Backend,
    Mill,
    after,
    consuming,
    eventually_depth,
)
from tests.support.eventually import eventually
from tests.support.proxy import TcpProxy

REFUSAL = Refusal(
    code="invalid_command",
    reason="the body is not a JSON object",
    errors=(FieldError(pointer="", detail="no object"),),
)


async def bury(delivery: Delivery) -> None:
    """Refuse every command."""
    await delivery.settle(Settlement.DEAD, REFUSAL)


async def dead(backend: Backend, settings: BrokerSettings) -> AbstractIncomingMessage:
    """Take the one dead letter."""
    (message,) = await backend.take(settings.topology.dead_commands, 1)
    await eventually_depth(backend, settings.topology.worker_queue(WORKER), 0)
    return message


async def test_a_dead_letter_says_why_and_where_it_came_from(
    settings: BrokerSettings, backend: Backend
) -> None:
    """All that is needed to judge and to replay it is in the message."""
    mill = Mill(bury)
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await backend.send("s1 1", message_id="c1", type="wa.x.v1", headers={"traceparent": "t"})
        await eventually(lambda: mill.executed and consumer.in_flight == 0)
        assert broker.stats().dead_lettered == 1
    letter = await dead(backend, settings)
    stamped = letter.headers.pop("wa-dead-at")

    assert isinstance(stamped, str)
    assert letter.body == b"s1 1"
    assert letter.message_id == "c1"
    assert letter.type == "wa.x.v1"
    assert letter.routing_key == "s1"
    assert letter.headers == {
        "traceparent": "t",
        "wa-dead-code": "invalid_command",
        "wa-dead-reason": "the body is not a JSON object",
        "wa-dead-errors": '[{"pointer": "", "detail": "no object"}]',
        "wa-dead-attempts": 1,
        "wa-dead-routing-key": "s1",
        "wa-dead-queue": settings.topology.worker_queue(WORKER),
        "wa-dead-by": "/workers/w1",
    }


async def test_a_dead_letter_counts_the_deliveries(
    settings: BrokerSettings, backend: Backend, proxy: TcpProxy
) -> None:
    """A command that came again and again shows it."""
    gate = asyncio.Event()

    async def work(delivery: Delivery) -> None:
        if not gate.is_set():
            return  # and never settles: the next life has to
        await bury(delivery)

    async with consuming(settings, Mill(work), "s1") as (_, consumer):
        await backend.send("s1 1")
        await eventually(lambda: consumer.in_flight == 1)
    gate.set()
    mill = Mill(work)
    async with consuming(settings, mill, "s1") as (_, consumer):
        await eventually(lambda: mill.executed and consumer.in_flight == 0)
        assert mill.accepted[0].redelivered
    letter = await dead(backend, settings)

    assert letter.headers["wa-dead-attempts"] == 2
    assert "x-delivery-count" not in letter.headers


async def test_a_dead_letter_gets_there_without_the_publishing_connection(
    settings: BrokerSettings, backend: Backend, proxy: TcpProxy
) -> None:
    """If it cannot be published with its reason, the broker itself moves it."""
    gate = asyncio.Event()
    mill = Mill(after(gate, bury))
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await backend.send("s1 1")
        await eventually(lambda: mill.executed)
        await proxy.refuse()
        broker._connections.publishing.suspect("this test")
        await eventually(lambda: not broker._connections.publishing.is_up)
        gate.set()
        await eventually(lambda: consumer.in_flight == 0)
        letter = await dead(backend, settings)
        await proxy.accept()

        assert letter.body == b"s1 1"
        assert letter.headers["x-first-death-reason"] == "rejected"
        assert mill.executed == ["s1 1"]


async def test_a_dead_letter_that_could_not_be_handed_over_is_refused_again(
    settings: BrokerSettings, backend: Backend, proxy: TcpProxy
) -> None:
    """With all connections gone nothing is settled, so the command comes again as a new one."""
    gate = asyncio.Event()
    mill = Mill(after(gate, bury))
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await backend.send("s1 1")
        await eventually(lambda: mill.executed)
        await proxy.refuse()
        await proxy.cut()
        await eventually(lambda: not broker.stats().connected and not consumer.is_consuming)
        gate.set()
        await eventually(lambda: consumer.in_flight == 0)
        await proxy.accept()
        await eventually(lambda: len(mill.executed) == 2 and consumer.in_flight == 0)
        letter = await dead(backend, settings)

        assert letter.body == b"s1 1"
