"""A tenant that sends too much waits for itself; another one's commands come past."""

import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aio_pika
import jwt
import pytest

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    MessageSend,
    MessageSendData,
    QueuePurge,
    SessionGetStatus,
    TextToSend,
    encode,
)
from gateway_contracts.tenants import tenant_of
from gateway_worker.broker import BrokerSettings
from gateway_worker.devkit.backend import Backend
from gateway_worker.storage.db import Database
from gateway_worker.tenants.build import build_tenants
from gateway_worker.tenants.quotas import TenantRates, TenantShares
from gateway_worker.tenants.settings import TenantSettings
from gateway_worker.tenants.verifying import Verifier
from tests.integration.commands.conftest import STOPPED
from tests.integration.commands.support import working
from tests.integration.storage.db.support import OTHER, WORKER, opened, session_row
from tests.support.eventually import eventually

SECRET = "a-secret-that-only-this-test-knows"
FLOOD = 600
"""More than a worker is handed out at a time."""
PER_SECOND = 5.0
"""So that it takes two minutes."""


@pytest.fixture
async def two_tenants(database_url: str) -> AsyncIterator[Database]:
    """A session of each, and a second one of one of them."""
    rows = [session_row(name, **STOPPED) for name in ("acme.a", "mallory.a", "mallory.b")]
    async with opened(database_url, *rows) as database:
        yield database


def status(session_id: str) -> SessionGetStatus:
    """Return a look-up."""
    return SessionGetStatus(source="/backends/test", subject=session_id)


def shares(*, per_second: float, burst: int = 5) -> TenantShares:
    """Return what each tenant has of a worker."""
    return TenantShares(rates=TenantRates(per_second=per_second, burst=burst, weights={}))


def verifier() -> Verifier:
    """Return what knows the tenants of this test by their tokens."""
    named = {"mode": "jwt", "jwt_audience": "gateway"}
    signed = {"jwt_algorithms": "HS256", "jwt_secret": SECRET}
    made = build_tenants(TenantSettings.model_validate({**named, **signed})).verifier
    assert made is not None
    return made


async def flood(backend: Backend, session_id: str, number: int) -> list[SessionGetStatus]:
    """Publish so many commands, as the tenant of the session."""
    commands = [status(session_id) for _ in range(number)]
    for command in commands:
        await backend.publish(command, headers=signed_for(session_id))
    return commands


def signed_for(session_id: str) -> dict[str, str]:
    """Return the header of the tenant of a session."""
    said = {"tenant_id": tenant_of(session_id), "aud": "gateway", "exp": int(time.time()) + 3_600}
    return {"authorization": f"Bearer {jwt.encode(said, SECRET, 'HS256')}"}


def failures(backend: Backend, session_id: str) -> list[ErrorCode]:
    """Return how commands of a session have failed."""
    told = [event for event in backend.events_of(session_id) if isinstance(event, CommandFailed)]
    for event in told:
        limited = event.data.error.code is ErrorCode.RATE_LIMITED
        assert (event.data.error.retry_after_ms or 0) > 0 if limited else True
    return [event.data.error.code for event in told]


async def test_a_flood_of_one_tenant_holds_up_no_other(
    two_tenants: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> None:
    """What comes behind it in the same queue is executed before most of it, and it keeps order."""
    limits = shares(per_second=PER_SECOND)
    async with working(two_tenants, settings, tmp_path, shares=limits) as station:
        theirs = await flood(backend, "mallory.a", FLOOD)
        (mine,) = await flood(backend, "acme.a", 1)
        assert isinstance(await backend.outcome(mine.id, seconds=90), CommandSucceeded)

        done = [event.correlationid for event in backend.events_of("mallory.a")]
        assert len(done) < FLOOD
        assert done == [command.id for command in theirs[: len(done)]]
        await eventually(lambda: station.dispatcher.stuck > 0)  # but while one has its turn


async def test_no_more_wait_than_may(
    two_tenants: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> None:
    """What is over is refused with a code, and is no dead letter; others are as before."""
    slow = shares(per_second=0.05, burst=1)
    async with working(
        two_tenants, settings, tmp_path, shares=slow, verifier=verifier(), most_waiting=10
    ) as station:
        await flood(backend, "mallory.a", 40)
        (mine,) = await flood(backend, "acme.a", 1)
        assert isinstance(await backend.outcome(mine.id, seconds=90), CommandSucceeded)
        await eventually(lambda: len(failures(backend, "mallory.a")) >= 20, timeout_seconds=60)
        assert set(failures(backend, "mallory.a")) == {ErrorCode.RATE_LIMITED}
        assert await station.broker.depth(settings.topology.dead_commands) == 0

        purge = QueuePurge(source="/backends/test", subject="mallory.a")
        await backend.publish(purge, headers=signed_for("mallory.a"))
        (late,) = await flood(backend, "mallory.a", 1)
        assert isinstance(await backend.outcome(late.id, seconds=90), CommandFailed)
        refused = [one for one in backend.events_of("mallory.a") if isinstance(one, CommandFailed)]
        assert purge.id not in {one.correlationid for one in refused}, "it may end the waiting"


async def test_what_has_no_worker_does_not_wait_in_the_way(
    two_tenants: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> None:
    """All share the queue of sessions without an owner, and few of it are handed out at a time."""
    slow = shares(per_second=0.05, burst=3)
    async with working(two_tenants, settings, tmp_path, shares=slow) as station:
        await flood(backend, "mallory.none", 60)
        (mine,) = await flood(backend, "acme.none", 1)
        told = await backend.outcome(mine.id, seconds=90)
        assert isinstance(told, CommandFailed)
        assert told.data.error.code is ErrorCode.SESSION_NOT_FOUND
        await eventually(lambda: len(failures(backend, "mallory.none")) == 60, timeout_seconds=60)
        refused = Counter(failures(backend, "mallory.none"))
        assert refused[ErrorCode.SESSION_NOT_FOUND] >= 3
        assert refused[ErrorCode.RATE_LIMITED] > refused[ErrorCode.SESSION_NOT_FOUND]
        assert station.dispatcher.stuck == 0


async def test_no_more_bytes_wait_than_may(
    two_tenants: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> None:
    """Of one session a quarter; what is small waits all the same, and others have room."""
    bounded = settings.model_copy(update={"unsettled_bytes": 400_000})
    slow = shares(per_second=0.01, burst=1)
    async with working(two_tenants, bounded, tmp_path, shares=slow) as station:
        await flood(backend, "mallory.a", 1)  # it has begun: what follows waits for its rate
        for _ in range(20):
            await backend.publish(long_text("mallory.a"))
        await flood(backend, "mallory.a", 5)
        mine = long_text("acme.a")
        await backend.publish(mine)
        told = await backend.outcome(mine.id, seconds=90)
        assert isinstance(told, CommandFailed)
        assert told.data.error.code is ErrorCode.SESSION_NOT_CONNECTED
        await eventually(lambda: len(failures(backend, "mallory.a")) == 16, timeout_seconds=60)
        assert set(failures(backend, "mallory.a")) == {ErrorCode.RATE_LIMITED}
        await eventually(lambda: station.consumer.in_flight == 20 - 16 + 5, timeout_seconds=60)


async def test_a_tenant_that_has_its_share_of_the_bytes_leaves_the_others_theirs(
    two_tenants: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> None:
    """However many sessions it has; refused commands are told under their ids, each once."""
    bounded = settings.model_copy(update={"unsettled_bytes": 400_000})
    slow = shares(per_second=0.01, burst=1)
    async with working(
        two_tenants, bounded, tmp_path, shares=slow, verifier=verifier(), most_waiting=1_000
    ) as station:
        await flood(backend, "mallory.a", 1)
        theirs = [long_text(f"mallory.{name}") for name in "abab" * 5]
        for command in theirs:
            await backend.publish(command, headers=signed_for("mallory.a"))
        mine = long_text("acme.a")
        await backend.publish(mine, headers=signed_for("acme.a"))
        told = await backend.outcome(mine.id, seconds=90)
        assert isinstance(told, CommandFailed)
        assert told.data.error.code is ErrorCode.SESSION_NOT_CONNECTED

        sessions = ("mallory.a", "mallory.b")
        waiting = {command.id for command in theirs[:4]}

        def ended() -> Counter[str | None]:
            events = (event for name in sessions for event in backend.events_of(name))
            return Counter(one.correlationid for one in events if isinstance(one, CommandFailed))

        await eventually(lambda: len(ended()) == len(theirs) - 4, timeout_seconds=60)
        assert ended() == Counter(command.id for command in theirs[4:])
        assert set(failures(backend, "mallory.a")) == {ErrorCode.RATE_LIMITED}
        await eventually(lambda: station.consumer.in_flight == len(waiting), timeout_seconds=60)
        assert await station.broker.depth(settings.topology.dead_commands) == 0


async def test_what_waited_when_a_worker_died_is_not_refused_by_the_next(
    two_tenants: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> None:
    """It was let in, and may have begun. What was refused is told the same once more."""
    slow = shares(per_second=0.01, burst=1)
    async with working(two_tenants, settings, tmp_path, shares=slow) as station:
        (first,) = await flood(backend, "mallory.a", 1)
        assert isinstance(await backend.outcome(first.id, seconds=90), CommandSucceeded)
        theirs = [long_text("mallory.a") for _ in range(10)]
        for command in theirs:
            await backend.publish(command)
        await eventually(lambda: station.consumer.in_flight >= len(theirs))

    bounded = settings.model_copy(update={"unsettled_bytes": 400_000})
    async with working(two_tenants, bounded, tmp_path, shares=slow) as station:
        await eventually(lambda: station.consumer.in_flight >= len(theirs), timeout_seconds=60)
        late = long_text("mallory.a")
        await backend.publish(late)
        told = await backend.outcome(late.id, seconds=90)
        assert isinstance(told, CommandFailed)
        assert told.data.error.code is ErrorCode.RATE_LIMITED
        assert {one.id for one in theirs}.isdisjoint(
            event.correlationid
            for event in backend.events_of("mallory.a")
            if isinstance(event, CommandFailed) and event.data.error.code is ErrorCode.RATE_LIMITED
        )
        await backend.publish(late)
        await eventually(lambda: failures(backend, "mallory.a").count(ErrorCode.RATE_LIMITED) == 2)


async def test_what_is_too_much_at_a_former_owner_is_refused_by_the_owner(
    database_url: str, settings: BrokerSettings, backend: Backend, tmp_path: Path, amqp_url: str
) -> None:
    """It has lost its place among those of its session: it must not come in by another way."""
    topology = settings.topology
    bounded = settings.model_copy(update={"unsettled_bytes": 40_000})
    async with (
        opened(database_url, session_row("acme.a", **STOPPED, worker_id=OTHER)) as database,
        working(database, bounded, tmp_path / "former"),
        working(database, settings, tmp_path / "owner", worker_id=OTHER),
        await aio_pika.connect(amqp_url) as connection,
    ):
        channel = await connection.channel()
        former = await channel.get_queue(topology.worker_queue(WORKER))
        await former.bind(topology.commands, routing_key="former")
        large, small = long_text("acme.a"), status("acme.a")
        for command in (large, small):
            await backend.publish_raw(
                encode(command), session_id="former", message_id=command.id, kind=command.type
            )
        told = await backend.outcome(large.id, seconds=90)
        assert isinstance(told, CommandFailed)
        assert told.data.error.code is ErrorCode.RATE_LIMITED
        assert isinstance(await backend.outcome(small.id, seconds=90), CommandSucceeded)
        assert failures(backend, "acme.a") == [ErrorCode.RATE_LIMITED]


def long_text(session_id: str) -> MessageSend:
    """Return a command of some 20 KB."""
    data = MessageSendData(to="+12025550101", content=TextToSend(text="x" * 20_000))
    return MessageSend(source="/backends/test", subject=session_id, data=data)
