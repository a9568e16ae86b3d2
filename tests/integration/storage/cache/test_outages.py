"""Redis may be away, hang, come back or forget: the worker goes on, and the table gets right."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway_contracts import WorkerLoad
from gateway_contracts.commands import PairByQr
from gateway_contracts.events import SessionState
from gateway_worker.devkit.services import RunningServices
from gateway_worker.errors import DependencyError
from gateway_worker.runtime.retry import Backoff
from gateway_worker.runtime.service import running
from gateway_worker.sessions.changes import DesiredState
from gateway_worker.sessions.ports import CurrentQr, SessionRow
from gateway_worker.storage.cache import Cache, CacheSettings, RedisRouteCache, RedisWorkers
from tests.support.eventually import eventually
from tests.support.proxy import TcpProxy
from tests.support.rubbish import answering
from tests.support.services import random_name


@pytest.fixture
async def proxy(redis_url: str) -> AsyncIterator[TcpProxy]:
    """Stand between the worker and Redis."""
    async with TcpProxy.to(redis_url) as proxy:
        yield proxy


@pytest.fixture
def brief(proxy: TcpProxy, redis_url: str, redis_prefix: str) -> CacheSettings:
    """Return settings that go through the proxy and give up soon."""
    return CacheSettings.model_validate(
        {
            "url": proxy.url(redis_url),
            "prefix": redis_prefix,
            "connect_timeout_seconds": 0.3,
            "operation_timeout_seconds": 0.3,
        }
    )


def load(worker: str = "w-1") -> WorkerLoad:
    """Return what a worker says of itself."""
    return WorkerLoad(
        worker=worker, version="1", capacity=60, sessions={}, cpu_percent=0, memory_bytes=0
    )


def quick() -> Backoff:
    """Return a backoff that a test can wait for."""
    return Backoff(initial_seconds=0.01, maximum_seconds=0.1)


async def write_everything(cache: Cache) -> list[str]:
    """Make every kind of write; return the names of those that failed."""
    failed: list[str] = []
    routes = RedisRouteCache(cache=cache, on_failure=failed.append)
    workers = RedisWorkers(cache=cache, on_failure=failed.append)
    expires_at = datetime.now(UTC) + timedelta(minutes=1)
    await routes.put("shop", worker_id="w-1", state=SessionState.CONNECTED, epoch=1)
    await routes.put_qr("shop", CurrentQr(code="2@secret", expires_at=expires_at))
    await routes.put_qr("shop", None)
    await routes.rebuild([])
    await routes.remove("shop")
    await workers.beat(load())
    await workers.remove("w-1")
    return failed


async def test_a_redis_that_is_not_there_stops_nothing(
    brief: CacheSettings, proxy: TcpProxy
) -> None:
    """The cache opens, no write raises, each failure is counted, and it is logged once."""
    await proxy.refuse()
    with capture_logs() as logs:
        async with Cache.open(brief) as cache:
            with pytest.raises(DependencyError, match=f"127.0.0.1:{proxy.port}"):
                await cache.check()
            failed = await write_everything(cache)
    assert failed == ["put", "put_qr", "put_qr", "rebuild", "remove", "beat", "leave"]
    assert [entry["event"] for entry in logs if entry["log_level"] != "debug"] == [
        "cache.unavailable"
    ]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"$2\r\n\xff\xfe\r\n", id="no text"),
        pytest.param(b":abc\r\n", id="no number"),
        pytest.param(b"*x\r\n", id="no length"),
        pytest.param(b"$-5\r\n", id="less than nothing"),
        pytest.param(b"$100\r\nhalf", id="half an answer"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="another protocol"),
        pytest.param(bytes(range(256)), id="rubbish"),
    ],
)
async def test_whatever_the_driver_raises_is_an_outage(brief: CacheSettings, answer: bytes) -> None:
    """It lets through what its parser raises, which has no class in common."""
    async with answering(answer) as port:
        url = f"redis://127.0.0.1:{port}/0"
        broken = CacheSettings.model_validate(brief.model_dump() | {"url": url})
        async with Cache.open(broken) as cache:
            with pytest.raises(DependencyError, match=f"127.0.0.1:{port}"):
                await cache.check()


async def test_a_redis_that_hangs_holds_nobody_up(brief: CacheSettings, proxy: TcpProxy) -> None:
    """Each write is given up, however many there are at a time."""
    async with Cache.open(brief) as cache:
        await cache.check()
        proxy.pause()
        failed = await write_everything(cache)
        assert len(failed) == 7
        many = (write_everything(cache) for _ in range(20))
        assert {len(names) for names in await asyncio.gather(*many)} == {7}
        proxy.resume()
        await eventually(lambda: answers(cache), reason="Redis is used again")


async def answers(cache: Cache) -> bool:
    """Say whether Redis answers."""
    try:
        await cache.check()
    except DependencyError:
        return False
    return True


async def test_a_lost_connection_costs_nothing(
    brief: CacheSettings, proxy: TcpProxy, redis: Redis, redis_prefix: str
) -> None:
    """A pooled connection from before a restart is replaced within the same write."""
    failed: list[str] = []
    async with Cache.open(brief) as cache:
        routes = RedisRouteCache(cache=cache, on_failure=failed.append)
        for epoch in range(1, 6):
            await routes.put("shop", worker_id="w-1", state=SessionState.CONNECTED, epoch=epoch)
            await proxy.cut()
    assert failed == []
    assert await redis.hget(f"{redis_prefix}session:shop", "epoch") == "5"


async def test_what_an_outage_kept_back_is_written_afterwards(
    brief: CacheSettings, proxy: TcpProxy, redis: Redis, redis_prefix: str
) -> None:
    """The last word of each session, removals included."""
    stop = asyncio.Event()
    async with Cache.open(brief) as cache:
        routes = RedisRouteCache(cache=cache, backoff=quick())
        await routes.put("gone", worker_id="w-1", state=SessionState.CONNECTED, epoch=1)
        await proxy.refuse()
        await proxy.cut()
        async with running(routes, worker_stop=stop, grace_seconds=5, name="routes"):
            await routes.put("shop", worker_id="w-1", state=SessionState.CONNECTING, epoch=1)
            await routes.put("shop", worker_id="w-1", state=SessionState.CONNECTED, epoch=1)
            await routes.remove("gone")
            assert routes.owed == 2
            await proxy.accept()
            await eventually(lambda: routes.owed == 0, reason="nothing is owed any more")
    assert await redis.hget(f"{redis_prefix}session:shop", "state") == "connected"
    assert not await redis.exists(f"{redis_prefix}session:gone")
    assert not stop.is_set()


async def test_no_message_shows_what_was_written(
    redis: Redis, brief: CacheSettings, redis_prefix: str
) -> None:
    """The library quotes a refused command with its arguments, the QR code among them."""
    user = random_name()
    await redis.acl_setuser(
        user,
        enabled=True,
        passwords=["+secret"],
        keys=[f"{redis_prefix}*"],
        commands=["+set", "+unlink", "+multi", "+exec", "+pexpire"],
    )
    url = f"redis://{user}:secret@{brief.address}/0"
    without_hashes = CacheSettings.model_validate(brief.model_dump() | {"url": url})
    expires_at = datetime.now(UTC) + timedelta(minutes=1)
    try:
        with capture_logs() as logs:
            async with Cache.open(without_hashes) as cache:
                failed: list[str] = []
                routes = RedisRouteCache(cache=cache, on_failure=failed.append)
                await routes.put_qr("shop", CurrentQr(code="2@secret", expires_at=expires_at))
    finally:
        await redis.acl_deluser(user)
    assert failed == ["put_qr"]
    assert logs
    assert "2@secret" not in repr(logs)


async def test_a_wrong_password_is_reported_without_it(brief: CacheSettings) -> None:
    """The cache opens as if Redis were unavailable; the check says what is wrong."""
    url = f"redis://:wrong-secret@{brief.address}/0"
    wrong = CacheSettings.model_validate(brief.model_dump() | {"url": url})
    with capture_logs() as logs:
        async with Cache.open(wrong) as cache:
            with pytest.raises(DependencyError, match="AuthenticationError") as caught:
                await cache.check()
    assert "wrong-secret" not in f"{caught.value!r} {logs}"


async def test_a_redis_that_only_reads_is_named_once(brief: CacheSettings, redis: Redis) -> None:
    """As a standby does, or a user without rights: its other answers are no sign that it is well.

    Nothing that was to be written is shown.
    """
    user = random_name()
    await redis.acl_setuser(
        user, enabled=True, passwords=["+secret"], keys=["*"], categories=["+@read", "+@connection"]
    )
    try:
        url = f"redis://{user}:secret@{brief.address}/0"
        reading = CacheSettings.model_validate(brief.model_dump() | {"url": url})
        with capture_logs() as logs:
            async with Cache.open(reading) as cache:
                for _ in range(3):
                    with pytest.raises(DependencyError, match="NoPermissionError: its user lacks"):
                        await cache.check()
                    assert await cache.call(lambda client: client.get("nothing")) is None
                    assert len(await write_everything(cache)) == 7
                await redis.acl_setuser(user, enabled=True, categories=["+@all"])
                await cache.check()
                assert await write_everything(cache) == []
    finally:
        await redis.acl_deluser(user)
    assert [entry["event"] for entry in logs if entry["log_level"] != "debug"] == [
        "cache.refuses",
        "cache.accepts",
    ]
    assert "2@secret" not in repr(logs)


async def test_a_worker_is_there_as_long_as_it_beats(
    brief: CacheSettings, redis: Redis, redis_prefix: str
) -> None:
    """Its key holds the load, ends by itself, and goes when the worker leaves."""
    key = f"{redis_prefix}worker:w-1"
    async with Cache.open(brief) as cache:
        workers = RedisWorkers(cache=cache)
        await workers.beat(load())
        assert WorkerLoad.model_validate_json(str(await redis.get(key))) == load()
        assert 0 < await redis.pttl(key) <= brief.worker_ttl_seconds * 1000
        await workers.remove("w-1")
        assert not await redis.exists(key)


async def test_a_redis_that_forgot_is_noticed(
    brief: CacheSettings, redis: Redis, redis_prefix: str
) -> None:
    """The first beat finds nothing, like the first one after Redis has lost its memory."""
    async with Cache.open(brief) as cache:
        workers = RedisWorkers(cache=cache)
        assert [await workers.beat(load()) for _ in range(3)] == [True, False, False]
        await redis.delete(f"{redis_prefix}worker:w-1")
        assert await workers.beat(load())


def row(session_id: str) -> SessionRow:
    """Return the row of a connected session."""
    return SessionRow(
        session_id=session_id,
        state=SessionState.CONNECTED,
        desired=DesiredState.RUNNING,
        pairing=PairByQr(),
        device_name="Chrome",
        worker_id="w-1",
        epoch=4,
        created_at=datetime.now(UTC),
    )


async def test_a_redis_that_was_killed_is_filled_again(own_services: RunningServices) -> None:
    """It comes back empty: the next beat tells, and the rows bring back what it had."""
    settings = CacheSettings.model_validate({"url": own_services.redis.url})
    async with Cache.open(settings) as cache:
        routes, workers = RedisRouteCache(cache=cache), RedisWorkers(cache=cache)
        await routes.put("quiet", worker_id="w-1", state=SessionState.CONNECTED, epoch=4)
        await workers.beat(load())
        await own_services.redis.kill()
        with pytest.raises(DependencyError):
            await cache.check()
        assert not await workers.beat(load())
        await own_services.redis.start()
        assert await workers.beat(load())
        await routes.rebuild([row("quiet")])
    async with Redis.from_url(own_services.redis.url, decode_responses=True) as redis:
        assert await redis.hget("wa:session:quiet", "worker") == "w-1"
