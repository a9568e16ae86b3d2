"""The routing table, as a backend reads it."""

from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis

from gateway_contracts.commands import PairByQr
from gateway_contracts.events import SessionState
from gateway_worker.sessions.changes import DesiredState
from gateway_worker.sessions.ports import CurrentQr, SessionRow
from gateway_worker.storage.cache import Cache, RedisRouteCache
from tests.support.eventually import eventually


async def put(routes: RedisRouteCache, *, worker: str = "w-1", epoch: int = 1) -> None:
    """Say that the session `shop` is connected at a worker."""
    await routes.put("shop", worker_id=worker, state=SessionState.CONNECTED, epoch=epoch)


async def test_a_route_is_a_hash_that_backends_can_read(
    cache: Cache, redis: Redis, redis_prefix: str
) -> None:
    """Worker, state, epoch and when it was written."""
    await put(RedisRouteCache(cache=cache), epoch=3)
    route = await redis.hgetall(f"{redis_prefix}session:shop")
    written = datetime.fromisoformat(str(route.pop("updated_at")))
    assert route == {"worker": "w-1", "state": "connected", "epoch": "3"}
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=1)


async def test_an_older_epoch_does_not_overwrite_a_newer_one(
    cache: Cache, redis: Redis, redis_prefix: str
) -> None:
    """A worker that lost the session may still be writing; numbers are compared as numbers."""
    routes = RedisRouteCache(cache=cache)
    await put(routes, worker="new", epoch=10)
    await put(routes, worker="old", epoch=9)
    assert await redis.hget(f"{redis_prefix}session:shop", "worker") == "new"
    await put(routes, worker="newest", epoch=10)
    assert await redis.hget(f"{redis_prefix}session:shop", "worker") == "newest"


async def test_a_qr_code_is_gone_when_it_expires(
    cache: Cache, redis: Redis, redis_prefix: str
) -> None:
    """Its key ends with the code's validity."""
    expires_at = datetime.now(UTC) + timedelta(seconds=0.4)
    routes = RedisRouteCache(cache=cache)
    key = f"{redis_prefix}qr:shop"
    later = CurrentQr(code="2@later", expires_at=datetime.now(UTC) + timedelta(minutes=1))
    await routes.put_qr("shop", later)
    assert await redis.hgetall(key) == {
        "code": "2@later",
        "expires_at": later.expires_at.isoformat(),
    }
    assert 50_000 < await redis.pttl(key) <= 60_000
    await routes.put_qr("shop", CurrentQr(code="2@soon", expires_at=expires_at))

    async def gone() -> bool:
        return not await redis.exists(key)

    assert await eventually(gone, reason="the code's key is gone")


async def test_a_void_qr_code_is_forgotten(cache: Cache, redis: Redis, redis_prefix: str) -> None:
    """Neither None nor a code from the past leaves the one before it in place."""
    routes = RedisRouteCache(cache=cache)
    now = datetime.now(UTC)
    valid = CurrentQr(code="2@valid", expires_at=now + timedelta(minutes=1))
    for void in (None, CurrentQr(code="2@past", expires_at=now - timedelta(seconds=1))):
        await routes.put_qr("shop", valid)
        await routes.put_qr("shop", void)
        assert not await redis.exists(f"{redis_prefix}qr:shop")


async def test_a_removed_session_leaves_no_key(
    cache: Cache, redis: Redis, redis_prefix: str
) -> None:
    """Route and QR code both go; the sessions beside it stay."""
    routes = RedisRouteCache(cache=cache)
    await put(routes)
    await routes.put("shop-2", worker_id="w-1", state=SessionState.PAIRING, epoch=1)
    code = CurrentQr(code="2@x", expires_at=datetime.now(UTC) + timedelta(minutes=1))
    await routes.put_qr("shop", code)
    await routes.remove("shop")
    await routes.remove("shop")
    assert [key async for key in redis.scan_iter(match=f"{redis_prefix}*")] == [
        f"{redis_prefix}session:shop-2"
    ]


async def test_what_somebody_else_has_put_in_a_route_s_place_is_replaced(
    cache: Cache, redis: Redis, redis_prefix: str
) -> None:
    """Of another type, or no route at all; and the routes of others do not wait for it."""
    routes = RedisRouteCache(cache=cache)
    await redis.set(f"{redis_prefix}session:shop", "junk")
    await redis.set(f"{redis_prefix}qr:shop", "junk")
    await redis.hset(f"{redis_prefix}session:s-1", mapping={"epoch": "junk"})
    code = CurrentQr(code="2@x", expires_at=datetime.now(UTC) + timedelta(minutes=1))
    await routes.put_qr("shop", code)
    await put(routes)
    await routes.rebuild([row(number, worker_id="w-1") for number in (1, 2)])
    assert routes.owed == 0
    for name in ("shop", "s-1", "s-2"):
        assert await redis.hget(f"{redis_prefix}session:{name}", "worker") == "w-1"
    assert await redis.hget(f"{redis_prefix}qr:shop", "code") == "2@x"


def row(number: int, *, worker_id: str | None, epoch: int = 2) -> SessionRow:
    """Return a session's row."""
    return SessionRow(
        session_id=f"s-{number}",
        state=SessionState.CONNECTED,
        desired=DesiredState.RUNNING,
        pairing=PairByQr(),
        device_name="Chrome",
        worker_id=worker_id,
        epoch=epoch,
        created_at=datetime.now(UTC),
    )


async def test_the_table_is_rebuilt_from_the_rows(
    cache: Cache, redis: Redis, redis_prefix: str
) -> None:
    """Also more rows than fit one batch; newer entries and sessions without owner are left."""
    routes = RedisRouteCache(cache=cache)
    await routes.put("s-0", worker_id="newer", state=SessionState.CONNECTED, epoch=7)
    await routes.rebuild([row(n, worker_id="w-1") for n in range(1201)])
    await routes.rebuild([row(5000, worker_id=None)])
    keys = [key async for key in redis.scan_iter(match=f"{redis_prefix}session:*", count=1000)]
    assert len(keys) == 1201
    assert await redis.hget(f"{redis_prefix}session:s-0", "worker") == "newer"
    assert await redis.hget(f"{redis_prefix}session:s-1200", "worker") == "w-1"
