"""Queues of workers that have died, forwards, held commands: nothing lost, nothing out of order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from gateway_worker.broker import Broker, BrokerSettings, CommandConsumer, peer_queues
from gateway_worker.commands.ports import Delivery, Refusal, Settlement
from gateway_worker.errors import DependencyError
from tests.integration.broker.support import (
    WORKER,
    Backend,
    Mill,
    bodies,
    consuming,
    eventually_depth,
    hold,
    left,
    numbered,
)
from tests.support.eventually import eventually
from tests.support.pacing import consistently, pace
from tests.support.proxy import TcpProxy

DEAD = "w0"
OTHER = "w2"


@pytest.fixture
async def dead_queue(settings: BrokerSettings) -> str:
    """Return the queue of a worker that was there once and owned `s1`."""
    async with Broker.open(settings, worker_id=DEAD) as broker:
        await broker.bindings.bind("s1")
    return settings.topology.worker_queue(DEAD)


@asynccontextmanager
async def working(
    settings: BrokerSettings, mill: Mill, worker_id: str
) -> AsyncIterator[tuple[Broker, CommandConsumer]]:
    """Run another worker's consumer, then stop it without a drain."""
    async with Broker.open(settings, worker_id=worker_id) as broker:
        consumer = broker.consumer(mill)
        running = asyncio.create_task(consumer.run(asyncio.Event()))
        try:
            yield broker, consumer
        finally:
            running.cancel()
            await asyncio.wait({running})
            await mill.stop()


async def test_an_attended_queue_tells_whose_it_is(
    settings: BrokerSettings, backend: Backend, dead_queue: str
) -> None:
    """Each delivery says where it was taken from, and what is known of its way."""
    mill = Mill(hold)
    async with consuming(settings, mill, "s2") as (_, consumer):
        consumer.attend(DEAD)
        await backend.send("s1 1", message_id="c1", type="wa.x.v1", headers={"wa-hops": "many"})
        internal = settings.topology.internal
        way = {"wa-from": "w9", "wa-hops": 2, "wa-attempt": 3}
        await backend.send("s2 2", headers=way, exchange=internal)
        await backend.send("nobody 3", headers={"wa-control": "marker"}, exchange=internal)
        await eventually(lambda: len(mill.accepted) == 3)
        one, two, three = sorted(mill.accepted, key=lambda delivery: delivery.body[-1:])

        assert consumer.attended == {DEAD}
        assert (one.origin, one.came_from, one.hops, one.unassigned) == (DEAD, None, 0, False)
        assert (one.message_id, one.message_type, one.routing_key) == ("c1", "wa.x.v1", "s1")
        assert (two.origin, two.came_from, two.hops, two.attempts_before) == (WORKER, "w9", 2, 3)
        assert (three.origin, three.control, three.unassigned) == (None, "marker", True)
        assert (one.control, one.attempts_before) == (None, 0)


async def test_forwarding_to_the_own_queue_loses_nothing(
    settings: BrokerSettings, backend: Backend, dead_queue: str
) -> None:
    """Settling the delivery from the dead worker's queue does not settle the one it became."""

    async def work(delivery: Delivery) -> None:
        if delivery.origin == DEAD:
            await broker.publisher.pass_on(delivery, worker_id=WORKER, stage=2, hop=2)
        await delivery.settle(Settlement.ACK)

    mill = Mill(work)
    async with consuming(settings, mill, "s2") as (broker, consumer):
        consumer.attend(DEAD)
        await backend.send_all(numbered(20))
        await eventually(
            lambda: len(mill.accepted) == 40 and consumer.in_flight == 0, timeout_seconds=40
        )
        own = [delivery for delivery in mill.accepted if delivery.origin == WORKER]

        assert bodies(own) == numbered(20)
        assert {(delivery.came_from, delivery.hops) for delivery in own} == {(DEAD, 1)}


async def test_forwarded_commands_keep_their_order_over_lost_connections(
    settings: BrokerSettings, backend: Backend, dead_queue: str, proxy: TcpProxy, amqp_url: str
) -> None:
    """The worker that attends loses its connections; the owner sees repeats, but no gap."""

    async def forward(delivery: Delivery) -> None:
        while True:
            try:
                await broker.publisher.pass_on(delivery, worker_id=OTHER, stage=2, hop=2)
            except Exception:  # noqa: BLE001 - a lost connection; for ever, as a worker does
                await pace(0.02)
            else:
                break
        await delivery.settle(Settlement.ACK)

    mill, owner = Mill(forward), Mill()
    direct = settings.model_copy(update={"url": SecretStr(amqp_url)})
    async with (
        working(direct, owner, OTHER),
        consuming(settings, mill, "s2") as (broker, consumer),
    ):
        await backend.send_all(numbered(600))
        consumer.attend(DEAD)
        for kill in range(1, 4):
            await eventually(lambda: len(owner.accepted) >= kill * 100)  # noqa: B023
            await proxy.cut()
        await eventually(lambda: "s1 599" in bodies(owner.accepted), timeout_seconds=30)
        firsts = list(dict.fromkeys(bodies(owner.accepted)))

        assert firsts == numbered(600)
        assert {delivery.came_from for delivery in owner.accepted} == {DEAD}


async def test_dismissing_gives_everything_back_in_order(
    settings: BrokerSettings, backend: Backend, dead_queue: str
) -> None:
    """What was not settled is new to the next, and settling it late changes nothing."""
    first = Mill(hold)
    async with consuming(settings, first, "s2") as (_, consumer):
        await backend.send_all(numbered(600))
        consumer.attend(DEAD)
        await eventually(lambda: len(first.accepted) == 600)
        for delivery in first.accepted[:100]:
            await delivery.settle(Settlement.ACK)
        await consumer.dismiss(DEAD)

        assert consumer.attended == frozenset()
        assert consumer.in_flight == 0
        for delivery in first.accepted[100:]:
            await delivery.settle(Settlement.ACK)
        # The broker drops the acknowledgements that it has not looked at when the channel closes.
        count = await eventually_depth(backend, dead_queue, 500, at_most=600)
        assert await left(backend, dead_queue, count) == numbered(count, start=600 - count)


async def test_what_a_narrower_window_gives_back_again_keeps_its_place(
    settings: BrokerSettings, backend: Backend, dead_queue: str
) -> None:
    """A worker that comes back to more than its window holds, and dies again, shuffles nothing."""
    first = Mill(hold)
    async with consuming(settings, first, "s2") as (_, consumer):
        await backend.send_all(numbered(700))
        consumer.attend(DEAD)
        await eventually(lambda: len(first.accepted) == 700)
        await consumer.dismiss(DEAD)
    for _ in range(2):
        returned = Mill(hold)
        async with working(settings, returned, DEAD):
            await eventually(lambda: len(returned.accepted) == 700)  # noqa: B023
            assert bodies(returned.accepted) == numbered(700)
        await eventually_depth(backend, dead_queue, 700)
    assert await left(backend, dead_queue, 700) == numbered(700)


@pytest.mark.parametrize("fresh", [0, 50])
async def test_what_dying_consumers_have_taken_in_parts_comes_in_its_old_order(
    settings: BrokerSettings, backend: Backend, dead_queue: str, fresh: int
) -> None:
    """The broker puts each part behind the rest; whether or not something new comes after it."""
    narrow = settings.model_copy(update={"attended_prefetch": 64})
    first = Mill(hold)
    async with consuming(settings, first, "s2") as (_, consumer):
        await backend.send_all(numbered(400))
        consumer.attend(DEAD)
        await eventually(lambda: len(first.accepted) == 400)
    for _ in range(2):
        part = Mill(hold)
        async with consuming(narrow, part, "s2") as (_, consumer):
            consumer.attend(DEAD)
            await eventually(lambda: len(part.accepted) == 64)  # noqa: B023
    await backend.send_all(numbered(fresh, start=400))
    await eventually_depth(backend, dead_queue, 400 + fresh)
    returned = Mill(hold)
    async with working(settings, returned, DEAD):
        await eventually(lambda: len(returned.accepted) >= 400 + fresh)
        assert bodies(returned.accepted) == numbered(400 + fresh)


async def test_a_window_that_is_full_after_a_standstill_gives_no_turn_away(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Others wait at the queue by then, and get all of it: what is in hand first, then the rest."""
    mill, successor = Mill(hold), Mill(hold)
    async with (
        working(settings, successor, OTHER) as (_, other),
        consuming(settings, mill, "s1", is_alone=lambda: False) as (_, consumer),
    ):
        await backend.send_all(numbered(500))
        await eventually(lambda: len(mill.accepted) == settings.prefetch)
        other.attend(WORKER)
        await eventually(lambda: any(one.is_active for one in other._peer_queues._open.values()))
        consumer.widen(settings.prefetch)
        await consistently(lambda: not successor.accepted, seconds=0.5)
        await consumer.suspend()
        await eventually(lambda: len(successor.accepted) == 500)

        assert bodies(successor.accepted) == numbered(500)
        assert bodies(mill.accepted) == numbered(settings.prefetch)


async def test_a_dismissed_delivery_is_new_when_it_comes_again(
    settings: BrokerSettings, backend: Backend, dead_queue: str
) -> None:
    """To the same worker, and to the dead one that is back and waits in line."""
    mill, returned = Mill(hold), Mill(hold)
    async with consuming(settings, mill, "s2") as (broker, consumer):
        await backend.send_all(numbered(3))
        consumer.attend(DEAD)
        await eventually(lambda: len(mill.accepted) == 3)
        await consumer.dismiss(DEAD)
        consumer.attend(DEAD)
        consumer.attend(DEAD)
        await eventually(lambda: len(mill.accepted) == 6)
        assert broker.stats().reattached == 0
        async with working(settings, returned, DEAD) as (_, back):
            await eventually(lambda: back.is_consuming)
            assert returned.accepted == []
            await consumer.dismiss(DEAD)
            await eventually(lambda: len(returned.accepted) == 3)

        assert bodies(mill.accepted) == numbered(3) * 2
        assert bodies(returned.accepted) == numbered(3)


async def test_another_worker_takes_over_when_the_attending_one_is_gone(
    settings: BrokerSettings, backend: Backend, dead_queue: str, proxy: TcpProxy, amqp_url: str
) -> None:
    """The broker activates whoever is next in line, with everything that is not settled."""
    first, second = Mill(hold), Mill(hold)
    direct = settings.model_copy(update={"url": SecretStr(amqp_url)})
    async with consuming(settings, first, "s2") as (_, consumer):
        consumer.attend(DEAD)
        await backend.send_all(numbered(100))
        await eventually(lambda: len(first.accepted) == 100)
        async with working(direct, second, OTHER) as (_, standby):
            standby.attend(DEAD)
            await proxy.refuse()
            await proxy.cut()
            await eventually(lambda: len(second.accepted) == 100)
            await proxy.accept()

            assert bodies(second.accepted) == numbered(100)


async def test_a_queue_that_is_missing_is_neither_declared_nor_an_error(
    settings: BrokerSettings, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for while it is attended, and consumed when its owner has declared it."""
    monkeypatch.setattr("gateway_worker.broker.subscription.MISSING_PAUSE_SECONDS", 0.05)
    mill = Mill()
    async with consuming(settings, mill, "s2") as (broker, consumer):
        consumer.attend("nobody")
        await eventually(lambda: broker.check().ready)
        await consistently(lambda: broker.check().ready, seconds=0.3)
        with pytest.raises(Exception, match="nobody"):
            await broker.depth(settings.topology.worker_queue("nobody"))
        assert broker.check().ready
        async with Broker.open(settings, worker_id="nobody"):
            await backend.send("x 1", routing_key="worker.nobody")
            await eventually(lambda: mill.executed == ["x 1"])
        assert mill.accepted[0].origin == "nobody"
        consumer.attend("nobody at all")
        await consumer.dismiss("nobody at all")


async def test_a_short_pause_gives_nothing_back(
    settings: BrokerSettings, backend: Backend, dead_queue: str
) -> None:
    """A delivery would be counted for all of it; what comes meanwhile waits here, in its order."""
    mill = Mill(hold)
    async with consuming(settings, mill, "s2") as (broker, consumer):
        consumer.attend(DEAD)
        await backend.send("s1 1")
        await eventually(lambda: len(mill.accepted) == 1)
        with capture_logs() as logs:
            for number in range(2, 5):
                consumer.pause()
                await backend.send(f"s1 {number}")
                await eventually_depth(backend, dead_queue, 0)
                assert bodies(mill.accepted) == [f"s1 {n}" for n in range(1, number)]
                consumer.resume()
                await eventually(lambda: bodies(mill.accepted)[-1] == f"s1 {number}")  # noqa: B023

        assert bodies(mill.accepted) == [f"s1 {number}" for number in range(1, 5)]
        assert broker.stats().given_back == 0
        anew = [line["queue"] for line in logs if line["event"] == "consumer.subscribed"]
        assert dead_queue not in anew


async def test_a_pause_leaves_attended_queues_to_others(
    settings: BrokerSettings,
    backend: Backend,
    dead_queue: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If it takes long. What is in hand of the own queue stays; what is of others' goes back."""
    monkeypatch.setattr(peer_queues, "PAUSE_SECONDS", 0.1)
    mill = Mill(hold)
    async with consuming(settings, mill, "s2") as (_, consumer):
        consumer.attend(DEAD)
        await backend.send("s1 1")
        await backend.send("s2 2")
        await eventually(lambda: len(mill.accepted) == 2)
        consumer.pause()
        await eventually_depth(backend, dead_queue, 1)
        assert consumer.in_flight == 1
        assert consumer.attended == {DEAD}
        consumer.resume()
        await eventually(lambda: len(mill.accepted) == 3)

        assert bodies(mill.accepted).count("s1 1") == 2


async def test_stopping_the_intake_closes_attended_queues(
    settings: BrokerSettings, backend: Backend, dead_queue: str
) -> None:
    """A worker that leaves gives back what it only attends, and waits for nothing of it."""
    mill = Mill(hold)
    async with consuming(settings, mill, "s2") as (_, consumer):
        consumer.attend(DEAD)
        await backend.send_all(numbered(200))
        await eventually(lambda: len(mill.accepted) == 200)
        await consumer.stop_intake()
        await asyncio.wait_for(consumer.idle(), timeout=30)
        await eventually_depth(backend, dead_queue, 200)
    assert await left(backend, dead_queue, 200) == numbered(200)


async def test_suspending_gives_back_everything_until_the_worker_is_reinstated(
    settings: BrokerSettings, backend: Backend
) -> None:
    """A worker without a lease holds nothing, and takes nothing however often it is resumed."""
    queue = settings.topology.worker_queue(WORKER)
    mill = Mill(hold)
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await backend.send_all(numbered(100))
        await backend.send("nobody 1")
        await eventually(lambda: consumer.in_flight == settings.prefetch + 1)
        await consumer.suspend()
        assert consumer.in_flight == 0
        for delivery in mill.accepted:
            await delivery.settle(Settlement.ACK)
        consumer.resume()
        await eventually_depth(backend, queue, 100)
        assert await backend.depth(settings.topology.unassigned) == 1
        assert broker.check().ready
        mill.work = lambda delivery: delivery.settle(Settlement.ACK)
        mill.accepted.clear()
        consumer.reinstate()
        await eventually(lambda: len(mill.accepted) == 101 and consumer.in_flight == 0)

        assert [body for body in bodies(mill.accepted) if body != "nobody 1"] == numbered(100)
        assert broker.stats().reattached == 0
    await eventually_depth(backend, queue, 0)


async def test_unbinding_from_another_worker_needs_neither_binding_nor_queue(
    settings: BrokerSettings, backend: Backend, dead_queue: str
) -> None:
    """The session's commands go where it was bound last, and nothing else is disturbed."""
    async with Broker.open(settings, worker_id=WORKER) as broker:
        await broker.bindings.bind("s1")
        await broker.bindings.unbind_from("s1", DEAD)
        await broker.bindings.unbind_from("s1", DEAD)
        await broker.bindings.unbind_from("s1", "never-there")
        await broker.bindings.bind("s2")
        await backend.send("s1 1")

        assert await broker.depth() == 1
        assert await backend.depth(dead_queue) == 0
        assert broker.check().ready


async def test_a_retried_command_comes_again_under_its_key(
    settings: BrokerSettings, backend: Backend
) -> None:
    """With its id and the count of attempts; a dead letter then tells the caller's count."""

    async def work(delivery: Delivery) -> None:
        attempts = delivery.attempts_before + 1
        if attempts < 3:
            await broker.publisher.retry_later(delivery, seconds=1, attempts=attempts)
            await delivery.settle(Settlement.ACK)
        else:
            refusal = Refusal(code="internal", reason="too often", attempts=attempts)
            await delivery.settle(Settlement.DEAD, refusal)

    mill = Mill(work)
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await backend.send(
            "s1 1",
            message_id="c1",
            type="wa.x.v1",
            headers={"wa-from": "w9"},
            exchange=settings.topology.internal,
        )
        await eventually(lambda: broker.stats().dead_lettered == 1 and consumer.in_flight == 0)

        assert [delivery.attempts_before for delivery in mill.accepted] == [0, 1, 2]
        assert {delivery.routing_key for delivery in mill.accepted} == {"s1"}
        assert {delivery.message_id for delivery in mill.accepted} == {"c1"}
        assert {delivery.came_from for delivery in mill.accepted} == {"w9"}
        assert mill.accepted[2].message_type == "wa.x.v1"
    (letter,) = await backend.take(settings.topology.dead_commands, 1)
    assert letter.headers["wa-dead-attempts"] == 3


async def test_workers_tell_each_other_things_in_turn(
    settings: BrokerSettings, backend: Backend
) -> None:
    """A control message is stored like a command, and forwarded like one."""
    mill = Mill(hold)
    async with consuming(settings, mill, "s1") as (broker, _):
        await broker.publisher.send_peer_message(
            "marker", worker_id=WORKER, body=b'{"session": "s1"}'
        )
        await eventually(lambda: len(mill.accepted) == 1)
        await broker.publisher.pass_on(mill.accepted[0], worker_id="gone", hop=3)
        await eventually(lambda: len(mill.accepted) == 2)
        sent, passed = mill.accepted

        assert (sent.control, sent.origin, sent.came_from, sent.hops) == ("marker", WORKER, None, 0)
        assert (passed.control, passed.origin, passed.came_from) == ("marker", None, WORKER)
        assert (passed.hops, passed.routing_key) == (1, "worker.gone")
        assert passed.message_id == sent.message_id


async def test_whoever_waits_for_the_broker_is_told_that_it_is_back(
    settings: BrokerSettings, backend: Backend, proxy: TcpProxy
) -> None:
    """The outbox need not wait out its pause."""
    told: list[bool] = []
    async with Broker.open(settings, worker_id=WORKER) as broker:
        broker.publisher.on_ready(lambda: told.append(broker._connections.publishing.is_up))
        assert told == []
        await proxy.cut()
        await eventually(lambda: told == [True])
        await eventually(lambda: is_empty(broker), reason="the other connection is back as well")


async def is_empty(broker: Broker) -> bool:
    """Whether the broker answers, and nothing waits for a worker."""
    with contextlib.suppress(DependencyError):
        return await broker.unassigned_depth() == 0
    return False
