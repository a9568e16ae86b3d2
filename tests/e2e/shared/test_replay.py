"""A backend that has lost its own memory gets a session's events once more."""

import asyncio

import aio_pika

from gateway_contracts import (
    BackendTopology,
    ReplayInfo,
    SessionReplay,
    SessionReplayData,
    SessionStop,
    Topology,
)
from tests.e2e.harness import ErrorCode, Gateway


async def test_events_come_again_to_the_queue_that_asks(gateway: Gateway, name: str) -> None:
    """The whole story of a session, as it was; and afterwards life goes on in its order."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    await gateway.send(name, ada.number, "Hello")
    await ada.send_text(shop.number, "Hello back")
    own = BackendTopology(
        service="crm", topology=Topology(prefix=gateway.environment["AMQP_PREFIX"])
    )

    def replay(first: int, queue: str) -> SessionReplay:
        return SessionReplay(
            source=gateway.backend.source,
            subject=name,
            data=SessionReplayData(queue=queue, from_sequence=first),
        )

    refused = await gateway.fail(replay(1, own.replay_queue().name))
    assert refused.data.error.code is ErrorCode.INVALID_COMMAND
    assert [fault.pointer for fault in refused.data.error.errors] == ["/data/queue"]

    async with await aio_pika.connect(gateway.environment["AMQP_URL"]) as connection:
        channel = await connection.channel()
        spec, binding = own.replay_queue(), own.replay_binding()
        for exchange in own.exchanges():
            await channel.declare_exchange(exchange.name, exchange.kind, durable=True)
        queue = await channel.declare_queue(spec.name, durable=True, arguments=spec.arguments)
        await queue.bind(binding.exchange, binding.routing_key)
        came: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
        await queue.consume(came.put, no_ack=True)

        info = await gateway.succeed(replay(1, queue.name))
        assert isinstance(info, ReplayInfo)
        assert info.complete
        assert info.first_sequence == 1
        assert info.last_sequence == info.events
        again = [await came.get() for _ in range(info.events)]
        live = [one for one in gateway.backend.arrivals if one.event.subject == name]
        assert [one.body for one in again] == [one.body for one in live[: info.events]]
        assert all(one.headers["wa-replayed"] for one in again)
    await gateway.succeed(SessionStop(source=gateway.backend.source, subject=name))
