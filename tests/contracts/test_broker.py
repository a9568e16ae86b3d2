"""The topology and the committed definitions on a real broker: it takes them and they work."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aiormq.exceptions import ChannelAccessRefused, PublishError

from gateway_contracts import (
    BackendTopology,
    BindingSpec,
    QueueSpec,
    Topology,
)
from gateway_worker.devkit.services import RunningServices
from gateway_worker.devkit.services.rabbitmq import LocalRabbitMq
from tests.contracts.broker import PASSWORD, channel, declare, password_hash, publish, read

DEFINITIONS = Path(__file__).parents[2] / "deploy/rabbitmq"


async def test_the_whole_topology_is_declared_again_and_again(
    amqp_url: str, topology_prefix: str
) -> None:
    topology = Topology(prefix=topology_prefix)
    backend = BackendTopology(service="crm", topology=topology)
    queues = (topology.worker_queue_spec("w-0"),)
    for _ in range(2):
        async with channel(amqp_url) as opened:
            await declare_shared(opened, topology, *queues)
            await declare(opened, backend.exchanges(), backend.queues(), backend.bindings())


async def test_commands_reach_their_worker_or_the_unassigned(
    amqp_url: str, topology_prefix: str
) -> None:
    topology = Topology(prefix=topology_prefix)
    queue = topology.worker_queue_spec("w-0")
    mine = tuple(
        BindingSpec(exchange=topology.commands, queue=queue.name, routing_key=key)
        for key in ("s1", topology.worker_key("w-0"))
    )
    async with channel(amqp_url) as opened:
        queues = await declare_shared(opened, topology, queue, bindings=mine)
        worker, unassigned = await read(queues[queue.name]), await read(queues[topology.unassigned])
        for key in ("s1", "worker.w-0", "s2"):
            await publish(opened, topology.commands, key)
        assert [(await worker.get()).routing_key for _ in range(2)] == ["s1", "worker.w-0"]
        for exchange in (topology.internal, topology.commands, topology.internal):
            await publish(opened, exchange, "s1")
        assert [(await worker.get()).exchange for _ in range(3)] == [
            topology.internal,
            topology.commands,
            topology.internal,
        ], "one order for both, and each tells where it was published"
        nobodys = await unassigned.get()
        assert nobodys.routing_key == "s2"
        await publish(opened, topology.internal, "s2")
        assert (await unassigned.get()).exchange == topology.internal
        await nobodys.reject(requeue=False)
        dead = await (await read(queues[topology.dead_commands])).get()
        assert dead.routing_key == "s2", "dead letters keep the session"


async def test_a_retried_command_comes_back_under_its_own_key(
    amqp_url: str, topology_prefix: str
) -> None:
    topology = Topology(prefix=topology_prefix)
    async with channel(amqp_url) as opened:
        queues = await declare_shared(opened, topology)
        unassigned = await read(queues[topology.unassigned])
        await publish(opened, topology.commands, "s1", b"first")
        for _ in range(2):
            came = await unassigned.get()
            assert (came.routing_key, came.body) == ("s1", b"first")
            await publish(opened, topology.retry(1), str(came.routing_key), came.body)
            await came.ack()
        last = await unassigned.get()
        assert (last.exchange, last.routing_key) == (topology.internal, "s1")


async def test_events_without_a_reader_wait_and_those_with_one_arrive(
    amqp_url: str, topology_prefix: str
) -> None:
    topology = Topology(prefix=topology_prefix)
    backend = BackendTopology(service="crm", topology=topology, events=("message.#",))
    async with channel(amqp_url) as opened:
        shared = await declare(opened, topology.exchanges(), topology.queues(), topology.bindings())
        own = await declare(opened, backend.exchanges(), backend.queues(), backend.bindings())
        for event_type in ("wa.session.qr.v1", "wa.message.received.v1"):
            await publish(opened, topology.events, topology.event_key(event_type, "s1"))
        unrouted = await (await read(shared[topology.events_unrouted])).get()
        assert unrouted.routing_key == "session.qr.s1"
        arrived = await (await read(own[backend.events_queue().name])).get()
        assert arrived.routing_key == "message.received.s1"
        await arrived.reject(requeue=False)
        assert (await (await read(own[backend.dead])).get()).routing_key == "message.received.s1"
        await publish(opened, topology.heartbeats, "worker.heartbeat.w-0")
        beat = await (await read(own[backend.heartbeats_queue().name])).get()
        assert beat.routing_key == "worker.heartbeat.w-0"


async def test_unrouted_events_stay_bounded(amqp_url: str, topology_prefix: str) -> None:
    topology = Topology(prefix=topology_prefix)
    async with channel(amqp_url) as opened:
        smaller = tuple(
            QueueSpec(name=queue.name, arguments={**queue.arguments, "x-max-length-bytes": 1000})
            for queue in topology.queues()
            if queue.name == topology.events_unrouted
        )
        bindings = tuple(
            binding for binding in topology.bindings() if binding.queue == topology.events_unrouted
        )
        queues = await declare(opened, topology.exchanges(), smaller, bindings)
        for number in range(20):
            await publish(opened, topology.events, "session.qr.s1", b"%0100d" % number)
        oldest = await (await read(queues[topology.events_unrouted])).get()
        assert int(oldest.body) >= 10


async def test_a_replay_reaches_the_queue_that_is_bound_by_its_name_and_no_other(
    amqp_url: str, topology_prefix: str
) -> None:
    topology = Topology(prefix=topology_prefix)
    backend = BackendTopology(service="crm", topology=topology)
    other = BackendTopology(service="billing", topology=topology)
    async with channel(amqp_url) as opened:
        await declare(opened, topology.exchanges(), topology.queues(), topology.bindings())
        own = await declare(
            opened,
            (*backend.exchanges(), *other.exchanges()),
            (backend.replay_queue(), other.replay_queue()),
            (backend.replay_binding(), other.replay_binding()),
        )
        await publish(opened, topology.replay, backend.replay_queue().name)
        arrived = await (await read(own[backend.replay_queue().name])).get()
        assert arrived.exchange == topology.replay
        assert (await depth_of(opened, other.replay_queue().name)) == 0
        with pytest.raises(PublishError):
            await publish(opened, topology.replay, backend.events_queue().name)


async def declare_shared(
    opened: AbstractChannel,
    topology: Topology,
    *queues: QueueSpec,
    bindings: tuple[BindingSpec, ...] = (),
) -> dict[str, AbstractQueue]:
    return await declare(
        opened,
        topology.exchanges(),
        (*topology.queues(), *queues),
        (*topology.bindings(), *bindings),
        topology.exchange_bindings(),
    )


async def test_a_full_queue_of_one_backend_holds_nobody_up(
    amqp_url: str, topology_prefix: str
) -> None:
    """Its oldest go to its dead letters; every publish is confirmed, and the others get it."""
    topology = Topology(prefix=topology_prefix)
    slow, healthy = (
        BackendTopology(service=name, topology=topology) for name in ("slow", "healthy")
    )
    async with channel(amqp_url) as opened:
        await declare_shared(opened, topology)
        await declare(opened, healthy.exchanges(), healthy.queues(), healthy.bindings())
        small = tuple(
            QueueSpec(name=queue.name, arguments={**queue.arguments, "x-max-length": 1})
            if queue == slow.events_queue()
            else queue
            for queue in slow.queues()
        )
        await declare(opened, slow.exchanges(), small, slow.bindings())
        for number in range(5):
            await publish(opened, topology.events, "message.received.s1", b"%d" % number)
        assert await depth_of(opened, healthy.events_queue().name) == 5
        assert (await next_in(opened, slow.events_queue().name)).body == b"4"
        dead = await read(await opened.get_queue(slow.dead, ensure=False))
        assert [(await dead.get()).body for _ in range(4)] == [b"0", b"1", b"2", b"3"]


async def depth_of(opened: AbstractChannel, name: str) -> int:
    queue = await opened.declare_queue(name, passive=True)
    return queue.declaration_result.message_count or 0


Step = Callable[[AbstractChannel], Awaitable[object]]


def publishing(exchange: str, key: str) -> Step:
    return lambda opened: publish(opened, exchange, key)


def reading(name: str) -> Step:
    async def step(opened: AbstractChannel) -> None:
        await read(await opened.get_queue(name, ensure=False))

    return step


def declaring(queue: QueueSpec) -> Step:
    return lambda opened: opened.declare_queue(queue.name, durable=True, arguments=queue.arguments)


def joining(destination: str, source: str) -> Step:
    async def step(opened: AbstractChannel) -> None:
        await (await opened.get_exchange(destination, ensure=False)).bind(source, "#")

    return step


def binding(queue: QueueSpec, exchange: str, key: str) -> Step:
    async def step(opened: AbstractChannel) -> None:
        await (await opened.get_queue(queue.name, ensure=False)).bind(exchange, key)

    return step


WORKER_QUEUE = Topology().worker_queue_spec("w-0")
CRM = BackendTopology(service="crm")
FORWARDING = QueueSpec(
    name="wa.backend.evil.replay", arguments={"x-dead-letter-exchange": "wa.internal"}
)


def deleting(name: str) -> Step:
    return lambda opened: opened.queue_delete(name)


def purging(name: str) -> Step:
    async def step(opened: AbstractChannel) -> None:
        await (await opened.get_queue(name, ensure=False)).purge()

    return step


REFUSED: list[tuple[str, Step]] = [
    *(
        ("backend", step(name))
        for step in (deleting, purging)
        for name in (WORKER_QUEUE.name, "wa.commands.unassigned", "wa.commands.dead")
    ),
    ("backend", deleting("wa.backend.crm.events")),
    *(
        (user, step)
        for user in ("backend", "trusted")
        for step in (
            publishing("wa.internal", "s1"),
            publishing("wa.internal.dead", "s1"),
            publishing("wa.commands.unrouted", "s1"),
            joining("wa.internal", "wa.events"),
            joining("wa.internal", "wa.commands"),
            binding(CRM.events_queue(), "wa.internal", "#"),
            binding(CRM.events_queue(), "wa.commands", "#"),
            declaring(FORWARDING),
        )
    ),
    *(
        ("backend", joining("wa.commands", source))
        for source in ("wa.events", "wa.events.unrouted", "wa.heartbeats", "wa.replay", "wa.dead")
    ),
    *(
        ("backend", binding(CRM.events_queue(), exchange, "#"))
        for exchange in ("wa.events", "wa.events.unrouted", "wa.heartbeats", "wa.replay")
    ),
    ("backend", declaring(CRM.events_queue())),
    ("backend", declaring(QueueSpec(name="wa.backend.crm.dead", arguments={"x-max-length": 1}))),
    ("backend", reading("wa.events.unrouted")),
    ("operator", declaring(QueueSpec(name="other", arguments=WORKER_QUEUE.arguments))),
    ("backend", publishing("wa.events", "message.received.s1")),
    ("backend", publishing("wa.heartbeats", "worker.heartbeat.w-0")),
    ("backend", publishing("wa.dead", "s1")),
    ("backend", publishing("wa.retry.1s", "s1")),
    ("backend", declaring(WORKER_QUEUE)),
    ("backend", reading(WORKER_QUEUE.name)),
    ("backend", reading("wa.commands.dead")),
    ("backend", publishing("wa.replay", "wa.backend.crm.events")),
    ("trusted", binding(CRM.events_queue(), "wa.replay", "#")),
    ("worker", publishing("wa.replay", "message.received.s1")),
    ("worker", publishing("wa.events", "nonsense")),
    ("worker", publishing("wa.heartbeats", "message.received.s1")),
    ("worker", reading("wa.backend.crm.events")),
    ("worker", declaring(QueueSpec(name="other", arguments=WORKER_QUEUE.arguments))),
    ("monitor", publishing("wa.commands", "s1")),
    ("monitor", reading("wa.commands.dead")),
]


async def test_the_committed_definitions_give_each_user_what_it_needs_and_no_more(
    own_services: RunningServices, tmp_path: Path
) -> None:
    broker = own_services.rabbitmq
    assert isinstance(broker, LocalRabbitMq)
    urls = await _import_definitions(broker, tmp_path)
    topology, backend = Topology(), BackendTopology(service="crm")
    async with (
        channel(urls["worker"]) as worker,
        channel(urls["backend"]) as reader,
        channel(urls["operator"]) as operator,
        channel(urls["trusted"]) as trusted,
    ):
        # Equal to what the definitions declared, or the broker would close the channel.
        queues = (*topology.queues(), WORKER_QUEUE)
        key = BindingSpec(exchange="wa.commands", queue=WORKER_QUEUE.name, routing_key="s1")
        declared = await declare(
            worker,
            topology.exchanges(),
            queues,
            (*topology.bindings(), key),
            topology.exchange_bindings(),
        )
        await declare(operator, backend.exchanges(), backend.queues(), backend.bindings())
        others = BackendTopology(service="others")
        await declare(trusted, others.exchanges(), others.queues(), others.bindings())
        await publish(reader, "wa.commands", "s1")
        command = await (await read(declared[WORKER_QUEUE.name])).get()
        await publish(worker, "wa.retry.1s", str(command.routing_key))
        await publish(worker, "wa.events", "command.succeeded.s1")
        await command.ack()
        for backend_channel, service in ((reader, "crm"), (trusted, "others")):
            event = await next_in(backend_channel, f"wa.backend.{service}.events")
            assert event.routing_key == "command.succeeded.s1"
        for sender in (worker, operator):
            await publish(sender, "wa.internal", "s1")
            await publish(sender, "wa.internal.dead", "s1")
        await next_in(operator, "wa.commands.dead")
        await worker.queue_delete(WORKER_QUEUE.name)  # of a worker that does not come back
        await publish(worker, "wa.heartbeats", "worker.heartbeat.w-0")
        await publish(worker, "wa.replay", backend.replay_queue().name)
        assert (await next_in(reader, backend.replay_queue().name)).exchange == "wa.replay"
    for name, step in REFUSED:
        async with channel(urls[name]) as opened:
            with pytest.raises(ChannelAccessRefused):
                await step(opened)


async def next_in(opened: AbstractChannel, name: str) -> AbstractIncomingMessage:
    message = await (await read(await opened.get_queue(name, ensure=False))).get()
    await message.ack()
    return message


USERS = ("worker", "backend", "trusted", "operator", "monitor")


async def _import_definitions(broker: LocalRabbitMq, directory: Path) -> dict[str, str]:
    """Give one user its password by hand, and the others theirs in the file."""
    users = json.loads((DEFINITIONS / "users.json").read_text())
    for user in users["users"][1:]:
        user["password_hash"] = password_hash()
    filled = directory / "users.json"
    filled.write_text(json.dumps(users))
    await broker._control("await_startup")  # it takes connections before all of it runs
    for file in (DEFINITIONS / "definitions.json", filled):
        await broker._control("import_definitions", str(file))
    base, _, _ = broker.url.rpartition("/")
    address = base.rpartition("@")[2]
    await broker._control("change_password", users["users"][0]["name"], PASSWORD)
    return {user: f"amqp://gateway-{user}:{PASSWORD}@{address}/gateway" for user in USERS}
