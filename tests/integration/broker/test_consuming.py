"""Commands through a broken connection: each executed once, in order, none left behind."""

import asyncio
from functools import partial

import pytest
from structlog.testing import capture_logs

from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.broker.connection import ReconnectingConnection
from gateway_worker.commands.ports import Delivery, Settlement
from gateway_worker.tenants.verifying import UserVerifier
from tests.integration.broker.support import (
    WORKER,
    Backend,
    Mill,
    after,
    bodies,
    consuming,
    eventually_depth,
    executed_twice,
    hold,
    numbered,
    out_of_order,
    underlay_of,
)
from tests.support.eventually import eventually
from tests.support.proxy import Direction, TcpProxy

COMMANDS = 5_000
SESSIONS = 32
KILLS = 12
PREFETCH = 64


def has_executed(mill: Mill, count: int) -> bool:
    """Whether so many commands were executed."""
    return len(mill.executed) >= count


async def test_each_command_is_executed_once_and_in_order_over_lost_connections(
    settings: BrokerSettings, backend: Backend, proxy: TcpProxy
) -> None:
    """Connections that break again and again neither lose, double nor reorder a command."""
    sessions = [f"s{number}" for number in range(SESSIONS)]
    bodies = [f"{sessions[number % SESSIONS]} {number}" for number in range(COMMANDS)]

    async def work(delivery: Delivery) -> None:
        await asyncio.sleep(0)
        await delivery.settle(Settlement.ACK)

    mill = Mill(work)
    async with consuming(settings, mill, *sessions) as (broker, consumer):
        await backend.send_all(bodies[:1000])
        sending = asyncio.create_task(backend.send_all(bodies[1000:]))
        for kill in range(1, KILLS + 1):
            threshold = kill * COMMANDS // (KILLS + 2)
            await eventually(partial(has_executed, mill, threshold), timeout_seconds=30)
            if kill % 2:
                await proxy.cut()
            else:
                proxy.cut_after(kill * 1000, Direction.TO_CLIENT)  # in the middle of a frame
        await sending
        await eventually(lambda: len(mill.executed) >= COMMANDS, timeout_seconds=30)
        await eventually(lambda: consumer.in_flight == 0 and broker.check().ready)

        assert broker.stats().reconnects >= KILLS
        assert executed_twice(mill.executed) == []
        assert out_of_order(mill.executed) == []
        assert sorted(mill.executed) == sorted(bodies)
    await eventually_depth(backend, settings.topology.worker_queue(WORKER), 0)
    assert await backend.depth(settings.topology.dead_commands) == 0


async def test_acknowledging_on_a_dying_connection_ends(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Acknowledgements that cannot leave any more give up, and the redelivery heals them."""
    gate = asyncio.Event()
    sessions = [f"s{number}" for number in range(PREFETCH)]
    mill = Mill(after(gate))
    async with consuming(settings, mill, *sessions) as (broker, consumer):
        await backend.send_all([f"{session} 1" for session in sessions])
        await eventually(lambda: len(mill.executed) == PREFETCH)
        connection = underlay_of(broker._connections.consuming)
        # What a dying connection does first: nothing empties the queue of outgoing frames any more.
        connection._writer_task.cancel()
        gate.set()
        await eventually(lambda: consumer.in_flight == 0)
        await eventually(lambda: broker.stats().reconnects == 1 and consumer.is_consuming)
        await backend.send("s0 2")
        await eventually(lambda: "s0 2" in mill.executed and consumer.in_flight == 0)
        # What comes again may come later than that: the broker has to notice the dead connection.
        await eventually(lambda: broker.stats().acknowledged_again == PREFETCH)
        assert executed_twice(mill.executed) == []
    await eventually_depth(backend, settings.topology.worker_queue(WORKER), 0)


async def test_a_command_in_work_takes_the_handle_of_its_redelivery(
    settings: BrokerSettings, backend: Backend, proxy: TcpProxy
) -> None:
    """A command that outlives its connection goes on and is acknowledged on the next one."""
    gate = asyncio.Event()

    async def work(delivery: Delivery) -> None:
        await gate.wait()
        await delivery.settle(Settlement.ACK)
        await delivery.settle(Settlement.ACK)

    mill = Mill(work)
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await backend.send("s1 1")
        await eventually(lambda: mill.executed)
        await proxy.cut()
        await eventually(lambda: broker.stats().reattached == 1)
        gate.set()
        await eventually(lambda: consumer.in_flight == 0)
        await backend.send("s1 2")
        await eventually(lambda: len(mill.executed) == 2 and consumer.in_flight == 0)

        assert mill.executed == ["s1 1", "s1 2"]
        assert broker.stats().settle_failures == 0
        assert broker.stats().reconnects == 3  # a second acknowledgement would have cost a fourth
    await eventually_depth(backend, settings.topology.worker_queue(WORKER), 0)


async def test_a_command_published_twice_is_executed_once_while_it_is_in_work(
    settings: BrokerSettings, backend: Backend
) -> None:
    """The second message joins the first, and both leave the queue with one execution."""
    gate = asyncio.Event()
    mill = Mill(after(gate))
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await backend.send("s1 1", message_id="same")
        await backend.send("s1 1", message_id="same")
        await eventually(lambda: broker.stats().reattached == 1)
        gate.set()
        await eventually(lambda: consumer.in_flight == 0)

        assert mill.executed == ["s1 1"]
    await eventually_depth(backend, settings.topology.worker_queue(WORKER), 0)


async def test_a_command_published_again_later_is_handed_on_again(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Its sender wants its outcome again; only what the broker repeats is acknowledged unseen."""
    mill = Mill()
    async with consuming(settings, mill, "s1") as (_, consumer):
        await backend.send("s1 1", message_id="same")
        await eventually(lambda: len(mill.executed) == 1 and consumer.in_flight == 0)
        await backend.send("s1 1", message_id="same")
        await eventually(lambda: len(mill.executed) == 2)


async def test_commands_that_share_an_id_by_mistake_are_both_handed_on(
    settings: BrokerSettings, backend: Backend
) -> None:
    """An id that a careless backend gives to two commands swallows neither."""
    gate = asyncio.Event()
    mill = Mill(after(gate))
    async with consuming(settings, mill, "s1", "s2") as (_, consumer):
        await backend.send("s1 1", message_id="same")
        await backend.send("s2 2", message_id="same")
        await eventually(lambda: len(mill.executed) == 2)
        gate.set()
        await eventually(lambda: consumer.in_flight == 0)


async def test_a_command_without_an_id_is_handed_on(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Its id is in the body; nothing is asked of the AMQP property."""
    mill = Mill()
    async with (
        consuming(settings, mill, "s1") as (_, consumer),
        backend.connection.channel(publisher_confirms=False) as channel,
    ):
        raw = await channel.get_underlay_channel()
        for _ in range(2):
            await raw.basic_publish(b"s1 1", exchange=settings.topology.commands, routing_key="s1")
        await eventually(lambda: len(mill.executed) == 2 and consumer.in_flight == 0)
    await eventually_depth(backend, settings.topology.worker_queue(WORKER), 0)


async def test_a_deleted_queue_is_declared_bound_and_consumed_again(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Whoever deletes the worker's queue cannot silence its sessions."""
    queue = settings.topology.worker_queue(WORKER)
    mill = Mill()
    async with consuming(settings, mill, "s1", "s2") as (broker, consumer):
        await broker.bindings.unbind("s2")
        await backend.send("s1 1")
        await eventually(lambda: len(mill.executed) == 1 and consumer.in_flight == 0)
        await backend.channel.queue_delete(queue, if_unused=False, if_empty=False)
        await eventually(lambda: broker.stats().resubscribed == 1 and consumer.is_consuming)
        await backend.send("s1 2")
        await backend.send("s2 3")
        await eventually(lambda: len(mill.executed) == 3)

        by_body = {delivery.body: delivery.unassigned for delivery in mill.accepted}
        assert by_body == {b"s1 1": False, b"s1 2": False, b"s2 3": True}


async def test_what_was_in_hand_of_a_deleted_queue_takes_no_room_in_the_next(
    settings: BrokerSettings, backend: Backend
) -> None:
    """A consumer that the broker cancels is followed by one on a channel of its own."""
    queue = settings.topology.worker_queue(WORKER)
    mill = Mill(hold)
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await backend.send_all(numbered(settings.prefetch))
        await eventually(lambda: len(mill.accepted) == settings.prefetch)
        await backend.channel.queue_delete(queue, if_unused=False, if_empty=False)
        await eventually(lambda: broker.stats().resubscribed == 1 and consumer.is_consuming)
        await backend.send_all(numbered(settings.prefetch, start=settings.prefetch))
        await eventually(lambda: len(mill.accepted) == 2 * settings.prefetch)

        assert bodies(mill.accepted) == numbered(2 * settings.prefetch)
        for delivery in mill.accepted:
            await delivery.settle(Settlement.ACK)
        await eventually(lambda: consumer.in_flight == 0)
    await eventually_depth(backend, queue, 0)


async def test_a_consumer_that_is_silently_gone_is_noticed(
    settings: BrokerSettings, backend: Backend
) -> None:
    """If the broker knows of no consumer although we believe in one, it is subscribed again."""
    mill = Mill()
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await eventually(lambda: consumer.is_consuming)
        own = consumer._own
        assert own._channel is not None
        assert own._tag is not None
        await (await own._channel.get_queue(own.queue, ensure=False)).cancel(own._tag)
        await backend.send("s1 1")
        await eventually(lambda: mill.executed == ["s1 1"])

        assert broker.stats().resubscribed == 1


async def test_a_connection_that_answers_nothing_is_given_up(
    settings: BrokerSettings, backend: Backend, proxy: TcpProxy
) -> None:
    """A peer that is gone without a reset is noticed by asking, long before TCP would."""
    impatient = settings.model_copy(update={"request_timeout_seconds": 0.3})
    mill = Mill()
    async with consuming(impatient, mill, "s1") as (broker, consumer):
        await eventually(lambda: consumer.is_consuming)
        proxy.pause()
        await backend.send("s1 1")
        await eventually(lambda: not broker.check().ready)
        proxy.resume()
        await eventually(lambda: mill.executed == ["s1 1"] and broker.check().ready)


async def test_a_subscription_that_is_not_answered_is_named_and_made_again(
    settings: BrokerSettings, backend: Backend, proxy: TcpProxy
) -> None:
    """On another channel, as often as it takes; the worker is not ready meanwhile, and says why."""
    impatient = settings.model_copy(
        update={"request_timeout_seconds": 0.3, "watch_interval_seconds": 600.0}
    )
    mill = Mill()
    async with consuming(impatient, mill, "s1") as (broker, consumer):
        shared = consumer._shared
        await eventually(lambda: consumer.is_consuming and shared.is_active)
        consumer.pause_unassigned()
        await eventually(lambda: shared._tag is None)
        await shared.applied(timeout_seconds=30)
        with capture_logs() as logs:
            proxy.pause()
            consumer.resume_unassigned()
            await eventually(lambda: broker.stats().unanswered > 0)
            problems = broker.check().problems
            proxy.resume()
            await backend.send("nobody 1")
            await eventually(lambda: mill.executed == ["nobody 1"] and broker.check().ready)

    assert any(f"no answer to the subscription to {shared.queue}" in one for one in problems)
    assert shared.queue in {
        line["queue"] for line in logs if line["event"] == "consumer.not_answered"
    }


@pytest.mark.parametrize(
    ("version", "verifier", "warned"),
    [
        pytest.param((3, 13), UserVerifier(operators=frozenset()), ["3.13"], id="before 4.0"),
        pytest.param((4, 0), UserVerifier(operators=frozenset()), [], id="4.0"),
        pytest.param((), UserVerifier(operators=frozenset()), [], id="does not say"),
        pytest.param((3, 13), None, [], id="backends are trusted"),
    ],
)
async def test_a_broker_that_backends_can_bring_down_is_told_of_where_they_are_not_trusted(
    settings: BrokerSettings,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, ...],
    verifier: UserVerifier | None,
    warned: list[str],
) -> None:
    """Before 4.0 a malformed `x-death` of a sender's ends what moves dead letters."""
    async with Broker.open(settings, worker_id=WORKER) as broker:
        consumer = broker.consumer(Mill(), verifier=verifier)
        assert len(broker._connections.consuming.broker_version) == 2
        monkeypatch.setattr(ReconnectingConnection, "broker_version", version)
        with capture_logs() as logs:
            stop = asyncio.Event()
            running = asyncio.create_task(consumer.run(stop))
            await eventually(lambda: consumer.is_consuming)
            stop.set()
            await running

    told = [line["version"] for line in logs if line["event"] == "broker.too_old_for_tenants"]
    assert told == warned


async def test_pausing_stops_the_intake_and_keeps_what_is_in_hand(
    settings: BrokerSettings, backend: Backend
) -> None:
    """While paused nothing new comes, and what had come can still be settled."""
    gate = asyncio.Event()
    queue = settings.topology.worker_queue(WORKER)
    mill = Mill(after(gate))
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await backend.send("s1 1")
        await eventually(lambda: mill.accepted)
        consumer.pause()
        await consumer._shared.applied(timeout_seconds=5)
        await backend.send("s1 2")
        await backend.send("nobody 3")
        gate.set()
        await eventually(lambda: consumer.in_flight == 0)
        await eventually_depth(backend, queue, 0)  # it is kept here, in its place
        assert bodies(mill.accepted) == ["s1 1"]
        assert await backend.depth(settings.topology.unassigned) == 1
        assert broker.check().ready
        consumer.resume()
        await eventually(lambda: len(mill.executed) == 3)

        assert set(mill.executed) == {"s1 1", "s1 2", "nobody 3"}


async def test_a_worker_without_room_leaves_sessions_without_an_owner_to_others(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Commands of unknown sessions come from the shared queue, and only while they are wanted."""
    mill = Mill()
    async with consuming(settings, mill, "s1") as (broker, consumer):
        consumer.pause_unassigned()
        await backend.send("nobody 1")
        await backend.send("s1 2")
        await eventually(lambda: mill.executed == ["s1 2"])
        assert await broker.depth(settings.topology.unassigned) == 1
        consumer.resume_unassigned()
        await eventually(lambda: len(mill.executed) == 2)

        assert [delivery.unassigned for delivery in mill.accepted] == [False, True]


async def test_a_pause_holds_over_a_lost_connection(
    settings: BrokerSettings, backend: Backend, proxy: TcpProxy
) -> None:
    """A new connection does not consume what the old one was told to leave."""
    mill = Mill()
    async with consuming(settings, mill, "s1") as (broker, consumer):
        consumer.pause()
        await proxy.cut()
        await eventually(lambda: broker.stats().reconnects == 3 and broker.check().ready)
        await backend.send("s1 1")
        assert await backend.depth(settings.topology.worker_queue(WORKER)) == 1
        consumer.resume()
        await eventually(lambda: mill.executed == ["s1 1"])


@pytest.mark.parametrize("order", ["in order", "in reverse"])
async def test_draining_gives_back_in_order_what_was_not_begun(
    settings: BrokerSettings, backend: Backend, order: str
) -> None:
    """What has begun is finished and acknowledged; the rest waits for the next worker, in order."""
    gate = asyncio.Event()
    mill = Mill(after(gate))
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await backend.send_all([f"s1 {number}" for number in range(100)])
        await eventually(lambda: len(mill.accepted) == PREFETCH)
        await consumer.stop_intake()
        begun, waiting = mill.accepted[0], mill.accepted[1:]
        mill._waiting["s1"].clear()
        mill._waiting["s1"].append(begun)
        for delivery in waiting if order == "in order" else reversed(waiting):
            await delivery.settle(Settlement.REQUEUE)
        gate.set()
        await asyncio.wait_for(consumer.idle(), timeout=30)
        assert broker.stats().given_back == PREFETCH - 1
    messages = await backend.take(settings.topology.worker_queue(WORKER), 99)

    assert [message.body.decode() for message in messages] == [f"s1 {n}" for n in range(1, 100)]


async def test_the_service_finishes_what_is_in_hand_when_it_is_told_to_stop(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Stopping takes nothing new, waits for what has begun, then returns."""
    gate = asyncio.Event()
    mill = Mill(after(gate))
    async with Broker.open(settings, worker_id=WORKER) as broker:
        consumer, stop = broker.consumer(mill), asyncio.Event()
        running = asyncio.create_task(consumer.run(stop))
        await backend.send("nobody 1")
        await eventually(lambda: mill.accepted and consumer.is_consuming)
        stop.set()
        await eventually(lambda: not consumer.is_consuming)
        await consumer._shared.applied(timeout_seconds=30)
        await backend.send("nobody 2")
        assert not running.done()
        gate.set()
        await asyncio.wait_for(running, timeout=30)
    assert mill.executed == ["nobody 1"]
    assert await backend.depth(settings.topology.unassigned) == 1


async def test_what_is_not_done_at_the_deadline_goes_back_in_order(
    settings: BrokerSettings, backend: Backend
) -> None:
    """A service that is cancelled leaves everything unfinished to the next worker."""

    async def work(_: Delivery) -> None:
        await asyncio.Event().wait()

    mill = Mill(work)
    async with consuming(settings, mill, "s1"):
        await backend.send_all([f"s1 {number}" for number in range(80)])
        await eventually(lambda: len(mill.accepted) == PREFETCH)
    messages = await backend.take(settings.topology.worker_queue(WORKER), 80)

    assert [message.body.decode() for message in messages] == [f"s1 {n}" for n in range(80)]
