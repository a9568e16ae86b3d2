"""Two tenants of one broker, with the shipped rights: each has its own and nothing else."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractExchange
from aiormq.exceptions import AMQPError
from pamqp.common import FieldTable
from pamqp.header import ContentHeader

import gateway_contracts
from gateway_contracts import (
    NO_SESSION,
    BackendTopology,
    Command,
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    Event,
    SessionGetStatus,
    SessionList,
    SessionPage,
    Topology,
    encode,
    new_id,
    parse_command,
    parse_event,
)
from gateway_contracts.permissions import operator_rights, worker_rights
from gateway_contracts.spec.definitions import (
    backend_definitions,
    topology_definitions,
    user_definitions,
)
from gateway_worker.broker import BrokerSettings
from gateway_worker.devkit.services import RunningServices
from gateway_worker.devkit.services.rabbitmq import LocalRabbitMq
from gateway_worker.storage.db import Database
from gateway_worker.tenants.verifying import UserVerifier
from tests.contracts.broker import PASSWORD, Inbox, channel, password_hash, publish, read
from tests.integration.commands.conftest import STOPPED
from tests.integration.commands.support import Station, working
from tests.integration.storage.db.support import WORKER, opened, session_row, value
from tests.support.eventually import eventually

TENANTS = ("acme", "mallory")
EXAMPLES = Path(gateway_contracts.__file__).parent / "examples"
OPERATOR = operator_rights(Topology()).user
OPERATORS_ONLY = {"wa.worker.set_log_level.v1"}
"""They concern the whole fleet: no tenant has such a subject."""
IDLE = BackendTopology(service="mallory_idle", tenant="mallory")
"""A service of mallory's that reads nothing, and whose queue is full soon."""
FULL = 3
FRAME_BYTES = 131_064
"""How much has room in a frame, by default."""
WORKER_USER = worker_rights(Topology()).user


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A tenant's backend, with the rights that the operator has given it."""

    name: str
    commands: AbstractExchange
    inbox: Inbox

    async def send(
        self, command: Command, *, user_id: str | None = "", body: bytes | None = None
    ) -> str:
        """Publish a command as this tenant's user, or as somebody else; returns its id."""
        message = aio_pika.Message(
            encode(command) if body is None else body,
            message_id=command.id,
            type=command.type,
            user_id=f"gateway-backend-{self.name}" if user_id == "" else user_id,
        )
        await self.commands.publish(message, command.subject, mandatory=True, timeout=30)
        return command.id

    async def next(self) -> Event:
        """Return the next event that reaches this tenant."""
        message = await self.inbox.get()
        await message.ack()
        return parse_event(message.body)

    async def refused(self, command: Command, **how: object) -> CommandFailed:
        """Publish a command that is not to be obeyed, and return the answer."""
        await self.send(command, **how)  # type: ignore[arg-type]
        event = await self.next()
        assert isinstance(event, CommandFailed)
        assert event.correlationid == command.id
        return event


@dataclass(frozen=True, kw_only=True)
class Shared:
    """A broker with two tenants and a worker."""

    station: Station
    database: Database
    acme: Tenant
    mallory: Tenant
    operator: AbstractChannel
    mallorys_url: str


@pytest.fixture
async def fleet(
    own_services: RunningServices, database_url: str, tmp_path: Path
) -> AsyncIterator[Shared]:
    """Everything as `ctl broker add-backend` and the shipped users make it, in an own vhost."""
    broker = own_services.rabbitmq
    assert isinstance(broker, LocalRabbitMq)
    vhost, topology = f"tenants-{new_id()}", Topology()
    backends = [BackendTopology(service=name, tenant=name) for name in TENANTS]
    parts = [
        topology_definitions(topology, vhost=vhost),
        user_definitions(topology, vhost=vhost),
        *(backend_definitions(backend, vhost=vhost) for backend in (*backends, IDLE)),
    ]
    names = {name for part in parts for name in part}
    definitions = {name: [one for part in parts for one in part.get(name, ())] for name in names}
    for user in definitions["users"]:
        user["password_hash"] = password_hash()
    for queue in definitions["queues"]:
        if queue["name"] == IDLE.events_queue().name:
            queue["arguments"]["x-max-length"] = FULL
    definitions["vhosts"] = [{"name": vhost}]
    file = tmp_path / "definitions.json"
    file.write_text(json.dumps(definitions))
    await broker._control("await_startup")
    await broker._control("import_definitions", str(file))
    base, _, _ = broker.url.rpartition("/")
    address = base.rpartition("@")[2]

    def url(user: str) -> str:
        return f"amqp://{user}:{PASSWORD}@{address}/{vhost}"

    rows = [session_row(f"{name}.{session}", **STOPPED) for name in TENANTS for session in "ab"]
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(opened(database_url, *rows))
        settings = BrokerSettings.model_validate({"url": url(WORKER_USER)})
        verifier = UserVerifier(operators=frozenset({OPERATOR}))
        work = working(database, settings, tmp_path / "worker", verifier=verifier)
        station = await stack.enter_async_context(work)

        async def tenant(name: str) -> Tenant:
            opened_channel = await stack.enter_async_context(
                channel(url(f"gateway-backend-{name}"))
            )
            queue = await opened_channel.get_queue(f"wa.backend.{name}.events", ensure=False)
            return Tenant(
                name=name,
                commands=await opened_channel.get_exchange(topology.commands, ensure=False),
                inbox=await read(queue),
            )

        yield Shared(
            station=station,
            database=database,
            acme=await tenant("acme"),
            mallory=await tenant("mallory"),
            operator=await stack.enter_async_context(channel(url(OPERATOR))),
            mallorys_url=url("gateway-backend-mallory"),
        )


def of_acme() -> list[Command]:
    """Return a command of each type, for a session of acme's, or for all."""
    found: dict[str, Command] = {}
    for path in sorted(EXAMPLES.glob("*.json")):
        try:
            command = parse_command(path.read_bytes())
        except ValueError:
            continue
        subject = "acme.a" if command.subject != "_fleet" else "acme._fleet"
        if command.type in OPERATORS_ONLY:
            subject = command.subject
        update = {"subject": subject, "id": new_id()}
        found.setdefault(command.type, command.model_copy(update=update))
    return list(found.values())


def status(session_id: str, command_id: str | None = None) -> SessionGetStatus:
    """Return a look-up."""
    return SessionGetStatus(id=command_id or new_id(), source="/backends/test", subject=session_id)


async def test_each_tenant_has_its_own_and_nothing_else(fleet: Shared) -> None:
    """Every command against the other one's session, under every name that one may choose."""
    acme, mallory = fleet.acme, fleet.mallory
    wrong = of_acme()
    assert len(wrong) > 60
    for command in wrong:
        answer = await mallory.refused(command)
        assert answer.subject == f"mallory.{NO_SESSION}"
        assert answer.data.error.code is ErrorCode.UNAUTHORIZED, command.type
        assert answer.data.error.detail is None
        assert answer.sequence is None
    everybodys = SessionList(source="/backends/test", subject="_fleet")
    for command in (status("acme.none"), status("a"), everybodys):
        assert (await mallory.refused(command)).data.error.code is ErrorCode.UNAUTHORIZED
    # What cannot be read is told to its sender, and not to the session that it names.
    broken = await mallory.refused(status("acme.a"), body=b'{"subject": "acme.a", "id": 7}')
    assert (broken.subject, broken.data.error.code) == (
        f"mallory.{NO_SESSION}",
        ErrorCode.INVALID_COMMAND,
    )
    # Whoever says nothing is nobody, and whoever lies is cut off by the broker.
    await mallory.send(status("acme.a"), user_id=None)
    await mallory.send(status("mallory.a"), user_id=None)
    with pytest.raises(AMQPError):
        await mallory.send(status("acme.a"), user_id="gateway-backend-acme")
    await eventually(lambda: len(fleet.station.settled) >= len(wrong) + 6)

    assert await value(fleet.database, "SELECT count(*) FROM commands") == 0
    assert {outcome for _, outcome in fleet.station.settled} == {
        "unauthorized",
        "invalid_command",
    }
    assert acme.inbox.empty()


async def test_names_and_ids_are_each_tenants_own(fleet: Shared) -> None:
    """The same id of a command, the same name of a session; each is told of its own."""
    command_id = new_id()
    for tenant in (fleet.acme, fleet.mallory):
        for session, repeated in (("a", False), ("a", True)):
            await tenant.send(status(f"{tenant.name}.{session}", command_id))
            event = await tenant.next()
            assert isinstance(event, CommandSucceeded)
            assert event.subject == f"{tenant.name}.a"
            assert event.correlationid == command_id
            assert event.data.repeated is repeated
        await tenant.send(status(f"{tenant.name}.b", command_id))
        conflict = await tenant.next()
        assert isinstance(conflict, CommandFailed)
        assert conflict.data.id_conflict
        await tenant.send(SessionList(source="/backends/test", subject=f"{tenant.name}._fleet"))
        listed = await tenant.next()
        assert isinstance(listed, CommandSucceeded)
        assert isinstance(listed.data.result, SessionPage)
        assert [one.session for one in listed.data.result.sessions] == [
            f"{tenant.name}.a",
            f"{tenant.name}.b",
        ]
    assert fleet.acme.inbox.empty()


async def test_the_operator_may_command_every_session(fleet: Shared) -> None:
    """Under their own user, and the tenant sees it."""
    commands = await fleet.operator.get_exchange(Topology().commands, ensure=False)
    command = status("acme.a")
    message = aio_pika.Message(encode(command), message_id=command.id, user_id=OPERATOR)
    await commands.publish(message, command.subject, timeout=30)

    event = await fleet.acme.next()
    assert isinstance(event, CommandSucceeded)
    assert event.correlationid == command.id


async def test_a_full_queue_of_one_tenant_holds_up_nobody(fleet: Shared) -> None:
    """Not the other tenant, and not the same tenant's other services; its oldest move aside."""
    commands = [status(f"{name}.a") for _ in range(20) for name in TENANTS]
    for command in commands:
        tenant = fleet.acme if command.subject == "acme.a" else fleet.mallory
        await tenant.send(command)
    for tenant in (fleet.acme, fleet.mallory):
        told = [(await tenant.next()).correlationid for _ in range(20)]
        assert told == [one.id for one in commands if one.subject == f"{tenant.name}.a"]

    async def has_moved_aside() -> bool:
        idle = await fleet.operator.declare_queue(IDLE.events_queue().name, passive=True)
        dead = await fleet.operator.declare_queue(IDLE.dead_queue().name, passive=True)
        counts = (idle.declaration_result.message_count, dead.declaration_result.message_count)
        return counts == (FULL, 20 - FULL)

    await eventually(has_moved_aside)


def filling_a_frame(command: Command, user: str) -> aio_pika.Message:
    """Return a command with headers that leave no room for another one in their frame."""

    def message(length: int) -> aio_pika.Message:
        headers: FieldTable = {"traceparent": "0" * 65_000, "tracestate": "x" * length}
        return aio_pika.Message(
            encode(command), message_id=command.id, user_id=user, headers=headers
        )

    header = ContentHeader(body_size=0, properties=message(0).properties).marshal()
    return message(FRAME_BYTES - len(header))


async def test_headers_of_one_tenant_hold_up_no_others_commands(fleet: Shared) -> None:
    """A worker sends them on, with words of its own, as often as a command has to wait."""
    unknown = status("mallory.none")
    attack = filling_a_frame(unknown, "gateway-backend-mallory")
    await fleet.mallory.commands.publish(attack, unknown.subject, mandatory=True, timeout=30)
    await fleet.acme.send(status("acme.a"))
    assert isinstance(await fleet.acme.next(), CommandSucceeded)

    told = await fleet.mallory.next()
    assert isinstance(told, CommandFailed)
    assert told.data.error.code is ErrorCode.SESSION_NOT_FOUND
    assert fleet.station.broker.stats().reconnects == 0


Attempt = Callable[[AbstractChannel], Awaitable[object]]


def publishing(exchange: str, key: str) -> Attempt:
    """Return an attempt to publish."""
    return lambda opened: publish(opened, exchange, key)


def reading(queue: str) -> Attempt:
    """Return an attempt to read a queue."""

    async def attempt(opened: AbstractChannel) -> None:
        await read(await opened.get_queue(queue, ensure=False))

    return attempt


def binding(queue: str, exchange: str) -> Attempt:
    """Return an attempt to have events of all come into a queue."""

    async def attempt(opened: AbstractChannel) -> None:
        await (await opened.get_queue(queue, ensure=False)).bind(exchange, "#")

    return attempt


MINE, ACMES = "wa.backend.mallory.events", "wa.backend.acme.events"
FORBIDDEN: Mapping[str, Attempt] = {
    "read another one's events": reading(ACMES),
    "read another one's replays": reading("wa.backend.acme.replay"),
    "read another one's dead letters": reading("wa.backend.acme.dead"),
    "read a worker's commands": reading(Topology().worker_queue(WORKER)),
    "read what has no worker": reading(Topology().unassigned),
    "read dead commands": reading(Topology().dead_commands),
    "have all events come": binding(MINE, Topology().events),
    "have all commands come": binding(MINE, Topology().commands),
    "have heartbeats come": binding(MINE, Topology().heartbeats),
    "forge an event": publishing(Topology().events, "message.received.acme.a"),
    "forge a replay": publishing(Topology().replay, ACMES),
    "forge a worker's word": publishing(Topology().internal, "worker.w1"),
    "put something into another one's queue": publishing("", ACMES),
    "make a queue": lambda opened: opened.declare_queue("wa.backend.mallory.more", durable=True),
    "empty another one's queue": lambda opened: _purge(opened, ACMES),
    "delete another one's queue": lambda opened: opened.queue_delete(ACMES),
}
"""What a backend's user might try at the broker itself."""


async def _purge(opened: AbstractChannel, queue: str) -> None:
    await (await opened.get_queue(queue, ensure=False)).purge()


async def test_the_broker_lets_a_backend_do_nothing_else(fleet: Shared) -> None:
    """With the shipped rights each of these ends the channel; the other one gets nothing of it."""
    for what, attempt in FORBIDDEN.items():
        async with channel(fleet.mallorys_url) as opened:
            with pytest.raises(AMQPError) as refused:
                await attempt(opened)
            assert "ACCESS_REFUSED" in str(refused.value), what
    assert fleet.acme.inbox.empty()
    await fleet.acme.send(status("acme.a"))
    assert isinstance(await fleet.acme.next(), CommandSucceeded)
