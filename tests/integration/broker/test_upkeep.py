"""What is lost or changed at the broker while a worker runs is noticed, mended and told."""

import asyncio

import pytest
from pamqp.common import FieldTable

from gateway_contracts import BackendTopology
from gateway_worker.broker import Broker, BrokerSettings, CommandConsumer, upkeep
from gateway_worker.errors import DependencyError
from tests.integration.broker.support import WORKER, Backend, Mill, consuming, row
from tests.support.eventually import eventually

OTHER = "w2"


@pytest.fixture
def settings(settings: BrokerSettings) -> BrokerSettings:
    """Look all the time."""
    return settings.model_copy(update={"upkeep_interval_seconds": 0.1})


async def loses_a_binding(
    settings: BrokerSettings, backend: Backend, broker: Broker, consumer: CommandConsumer
) -> None:
    """Take a session's binding away, and wait until it is there again."""
    await eventually(lambda: consumer.is_consuming)
    queue = await backend.channel.get_queue(settings.topology.worker_queue(WORKER), ensure=False)
    assert broker.stats().mended == 0
    await queue.unbind(settings.topology.commands, "s1")
    await eventually(lambda: broker.stats().mended >= 1)


async def test_a_binding_that_is_lost_is_made_again_before_anything_needs_it(
    settings: BrokerSettings, backend: Backend
) -> None:
    """A probe comes out as nobody's; the session's own commands come in order."""
    mill = Mill()
    async with consuming(settings, mill, "s1", "s2") as (broker, consumer):
        await loses_a_binding(settings, backend, broker, consumer)
        await backend.send("s1 1")
        await eventually(lambda: mill.executed == ["s1 1"])
        assert not mill.accepted[0].unassigned


async def test_the_probe_may_come_out_at_another_worker(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Which tells the one that has sent it."""
    async with Broker.open(settings, worker_id=OTHER) as other:
        taker = other.consumer(Mill())
        running = asyncio.create_task(taker.run(asyncio.Event()))
        await eventually(lambda: taker.is_consuming)
        async with consuming(settings, Mill(), "s1") as (broker, consumer):
            consumer.pause_unassigned()
            await loses_a_binding(settings, backend, broker, consumer)
        running.cancel()
        await asyncio.wait({running})
        assert other.stats().mended == 0


async def test_a_probe_that_is_back_before_it_is_confirmed_is_not_waited_for(
    settings: BrokerSettings, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look after the other sends probes."""
    monkeypatch.setattr(upkeep, "PATIENCE_LOOKS", 1_000_000)
    sessions, looks = [f"s{number}" for number in range(20)], 5
    async with consuming(settings, Mill(), *sessions):
        spy = await backend.channel.declare_queue(exclusive=True)
        await spy.bind(settings.topology.internal)

        async def many() -> bool:
            return await backend.depth(spy.name) >= looks * len(sessions)

        await eventually(many, timeout_seconds=40)


async def test_a_session_that_has_gone_is_not_bound_again(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Its probe may still be on its way."""
    async with consuming(settings, Mill(), "s1") as (broker, consumer):
        await eventually(lambda: consumer.is_consuming)
        await broker.publisher.probe("s1", worker_id=WORKER)
        await broker.bindings.unbind("s1")
        await broker.publisher.probe("s1", worker_id=WORKER)
        await broker.publisher.probe("s1", worker_id="w9")
        await backend.send("s1 1")
        await eventually(lambda: consumer.in_flight == 0 and broker.stats().delivered == 1)
        assert broker.stats().mended == 0


@pytest.mark.parametrize(
    "exchange", ["commands", "internal", "unrouted", "dead", "internal_dead", "events", "replay"]
)
async def test_an_exchange_that_is_lost_is_made_again_with_its_bindings(
    settings: BrokerSettings, backend: Backend, exchange: str
) -> None:
    """Commands reach their worker, or those without one, and what workers say goes on."""
    mill = Mill()
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await eventually(lambda: consumer.is_consuming)
        await backend.channel.exchange_delete(getattr(settings.topology, exchange))
        await eventually(lambda: broker.stats().mended >= 1)
        await eventually(lambda: broker.check().ready)
        for number, key in enumerate(("s1", "nobody", settings.topology.worker_key(WORKER))):
            await backend.send(f"{key} {number}", routing_key=key)
            await backend.send(
                f"{key} {number}", routing_key=key, exchange=settings.topology.internal
            )
        await eventually(lambda: len(mill.executed) == 6)
        await broker.publisher.publish(row(1))


async def test_bindings_of_shared_queues_that_are_lost_are_made_again(
    settings: BrokerSettings, backend: Backend
) -> None:
    """Nobody can ask for them; they are made again and again."""
    mill = Mill()
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await eventually(lambda: consumer.is_consuming)
        for binding in settings.topology.bindings():
            queue = await backend.channel.get_queue(binding.queue, ensure=False)
            await queue.unbind(binding.exchange, binding.routing_key)
        commands = await backend.channel.get_exchange(settings.topology.commands, ensure=False)
        await commands.unbind(settings.topology.internal, "")
        own = await backend.channel.get_queue(settings.topology.worker_queue(WORKER), ensure=False)
        await own.unbind(settings.topology.commands, settings.topology.worker_key(WORKER))

        async def all_is_there() -> bool:
            before = len(mill.executed)
            try:
                for key in ("nobody", "s1", settings.topology.worker_key(WORKER)):
                    await broker.publisher.publish_command(b"s1 1", routing_key=key)
                await broker.publisher.publish(row(1))
            except DependencyError:
                return False
            await eventually(lambda: len(mill.executed) >= before + 3)
            return True

        await eventually(all_is_there)


async def test_a_queue_that_came_back_with_other_arguments_is_told_and_not_touched(
    settings: BrokerSettings, backend: Backend
) -> None:
    """It stands in the probes' answer with its name, until it is gone."""
    name = settings.topology.dead_commands
    async with consuming(settings, Mill(), "s1") as (broker, consumer):
        await eventually(lambda: consumer.is_consuming)
        async with backend.connection.channel() as channel:
            await channel.queue_delete(name, if_unused=False, if_empty=False)
            await channel.declare_queue(name, durable=True)
        await eventually(lambda: not broker.check().ready)
        assert any(name in problem for problem in broker.check().problems)
        async with backend.connection.channel() as channel:
            await channel.queue_delete(name)
        await eventually(lambda: broker.check().ready)


async def test_a_backlog_is_told_with_the_queues_name(
    settings: BrokerSettings, backend: Backend
) -> None:
    """A queue that refuses, of a backend that is known by its commands, and one that grows."""
    own = BackendTopology(service="slow", topology=settings.topology)
    async with consuming(settings, Mill(), "s1") as (broker, consumer):
        await eventually(lambda: consumer.is_consuming)
        assert broker.backlog_problems == ()
        full: FieldTable = {"x-max-length": 1, "x-overflow": "reject-publish"}
        queue = await backend.channel.declare_queue(own.events_queue().name, arguments=full)
        await queue.bind(settings.topology.events, "#")
        await backend.send("s1 1", app_id="/backends/slow")
        for number in range(3):
            await asyncio.gather(broker.publisher.publish(row(number)), return_exceptions=True)
        await eventually(lambda: queue.name in " ".join(broker.backlog_problems))
        assert broker.depths[queue.name] >= 1
        assert broker.check().ready, "what a backend does not read makes no worker unready"


async def test_a_backends_queue_that_may_have_lost_its_leader_is_told(
    settings: BrokerSettings, backend: Backend
) -> None:
    """While some queue refuses: one that cannot be asked is empty, as the broker says."""
    names = [
        BackendTopology(service=service, topology=settings.topology).events_queue().name
        for service in ("slow", "quick")
    ]
    watching = settings.model_copy(update={"backends": "slow,quick"})
    async with consuming(watching, Mill(), "s1") as (broker, consumer):
        await eventually(lambda: consumer.is_consuming)
        doubts: list[bool] = []
        full: FieldTable = {"x-max-length": 1, "x-overflow": "reject-publish"}
        for name, arguments in zip(names, (full, None), strict=True):
            queue = await backend.channel.declare_queue(name, arguments=arguments)
            await queue.bind(settings.topology.events, "#")
        broker.publisher.on_doubt(lambda: doubts.append(True))
        for number in range(3):
            await asyncio.gather(broker.publisher.publish(row(number)), return_exceptions=True)
        await eventually(lambda: names[0] in " ".join(broker.backlog_problems))
        await eventually(lambda: all(broker.depths.get(name) for name in names))
        assert not doubts
        await (await backend.channel.get_queue(names[1], ensure=False)).purge()
        await eventually(lambda: doubts)
