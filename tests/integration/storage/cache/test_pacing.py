"""The buckets in Redis: the script against the arithmetic that says what it should do."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway_contracts import Pacing, RecipientPacing
from gateway_worker.commands.pacing.buckets import (
    DAY_MS,
    Asked,
    Bucket,
    Levels,
    Part,
    Reserved,
    reserve,
)
from gateway_worker.commands.pacing.pacer import Pacer
from gateway_worker.commands.pacing.ports import PacingStore
from gateway_worker.commands.pacing.settings import PacingSettings
from gateway_worker.storage.cache import Cache, CacheSettings, RedisPacing, RedisRouteCache
from tests.support.pacing_buckets import CountingObserver, MemoryBuckets
from tests.support.proxy import TcpProxy

LONG_MS = 10_000_000
BUCKETS = tuple(
    Bucket(interval_ms=interval, burst=burst) for interval in (1, 7, 900) for burst in (1, 3, 20)
)


def asked(**values: Any) -> Asked:
    """Return what a message asks for: one a minute, and one per chat and minute."""
    usual: dict[str, Any] = {
        "session": Bucket(interval_ms=60_000, burst=1),
        "recipient": Bucket(interval_ms=60_000, burst=1),
        "longest_ms": LONG_MS,
    }
    return Asked(**(usual | values))


async def test_what_somebody_else_has_put_in_a_bucket_s_place_is_replaced(
    cache: Cache, redis: Redis, redis_prefix: str
) -> None:
    """It is refused each time, and would leave all sessions of the worker without the buckets."""
    buckets = RedisPacing(cache=cache)
    await buckets.reserve("shop", "ada", asked(), Levels())
    for key in [key async for key in redis.scan_iter(match=f"{redis_prefix}*")]:
        await redis.unlink(key)
        await redis.rpush(key, "junk")
    first = await buckets.reserve("shop", "ada", asked(), Levels())
    second = await buckets.reserve("shop", "ada", asked(), Levels())
    assert (first.wait_ms, second.wait_ms > 0) == (0, True)


@pytest.mark.parametrize("seed", range(3))
async def test_it_does_what_the_arithmetic_says(cache: Cache, seed: int) -> None:
    """Whatever is asked, with whatever is known already; each answer is as if computed here."""
    drawn = random.Random(seed)
    buckets, levels = RedisPacing(cache=cache), Levels()
    chats: dict[str, int] = {"ada": 0, "ben": 0}
    kinds = set()
    for _ in range(200):
        chat = drawn.choice(list(chats))
        wanted = asked(
            session=drawn.choice(BUCKETS),
            recipient=drawn.choice((*BUCKETS, None)),
            daily_cap=drawn.choice((0, 0, 0, 40, 1_000)),
            day_offset_ms=drawn.choice((0, -18_000_000, 20_700_000)),
            longest_ms=drawn.choice((0, 5, 500, LONG_MS)),
        )
        known = Levels()
        if drawn.random() < 0.1:  # a worker that knows more than Redis does
            known = replace(
                levels,
                session_full_at=levels.session_full_at + drawn.randrange(50),
                recipient_full_at=chats[chat] + drawn.randrange(50),
                count=levels.count + drawn.randrange(3),
            )

        answer = await buckets.reserve("shop", chat, wanted, known)

        before = replace(levels, recipient_full_at=chats[chat] if wanted.recipient else 0)
        expected = reserve(wanted, before.joined(known), answer.now_ms)
        assert _since_now(answer) == _since_now(expected)
        if _has_taken(wanted, answer):
            levels = replace(answer.levels, recipient_full_at=0)
            if answer.part is Part.RECIPIENT:
                levels = replace(before, recipient_full_at=0)
            if wanted.recipient is not None:
                chats[chat] = answer.levels.recipient_full_at
        kinds.add((answer.part, answer.wait_ms > wanted.longest_ms, answer.wait_ms > 0))
    assert len(kinds) >= 5, "not much of it was seen"


def _since_now(answer: Reserved) -> Reserved:
    """Return an answer without what is over: a bucket that is full is not kept."""
    full_at = max(answer.now_ms, answer.levels.recipient_full_at)
    return replace(answer, levels=replace(answer.levels, recipient_full_at=full_at))


def _has_taken(wanted: Asked, answer: Reserved) -> bool:
    return answer.part is not Part.DAY and answer.wait_ms <= wanted.longest_ms


@pytest.mark.parametrize("kind", ["redis", "memory"])
async def test_all_who_ask_at_once_get_places_of_their_own(cache: Cache, kind: str) -> None:
    """One step each: nobody has another one's."""
    buckets: PacingStore = RedisPacing(cache=cache)
    if kind == "memory":
        buckets = MemoryBuckets(now_ms=1_795_502_481_000)
    wanted = asked(session=Bucket(interval_ms=1_000, burst=5))

    answers = await asyncio.gather(
        *(buckets.reserve("shop", str(number), wanted, Levels()) for number in range(25))
    )

    going = sorted(answer.now_ms + answer.wait_ms for answer in answers)
    assert len({answer.levels.session_full_at for answer in answers}) == 25
    assert [answer.levels.count for answer in answers].count(25) == 1
    assert going[-1] - going[5] >= 19_000


async def test_nothing_is_kept_for_longer_than_it_matters(
    cache: Cache, redis: Redis, redis_prefix: str
) -> None:
    """And of whom a session writes to nothing can be read."""
    buckets = RedisPacing(cache=cache)
    await buckets.reserve("shop", "12025550101@s.whatsapp.net", asked(), Levels())

    keys = [key async for key in redis.scan_iter(f"{redis_prefix}pacing:*")]
    lasting = {key: await redis.pttl(key) for key in keys}
    session = f"{redis_prefix}pacing:{{shop}}"
    assert len(lasting) == 2
    assert DAY_MS < lasting.pop(session) <= 2 * DAY_MS
    (chat,) = lasting
    assert chat.startswith(f"{session}:")
    assert "12025550101" not in chat
    assert 0 < lasting[chat] <= 60_000

    await RedisRouteCache(cache=cache).remove("shop")
    assert not await redis.exists(session), "a session of the same name begins anew"


async def test_a_redis_that_has_lost_all_gives_no_second_burst(
    cache: Cache, redis: Redis, redis_prefix: str
) -> None:
    """The worker that has asked knows what was given; also of the script nothing need be there."""
    pacing = Pacing(per_second=0.01, burst=2, recipient=RecipientPacing(burst=1, seconds=600))
    pacer = Pacer(
        store=RedisPacing(cache=cache), settings=PacingSettings(), observer=CountingObserver()
    )
    plan = pacer.plan_of(pacing)
    assert plan is not None
    wanted = asked(session=plan.session, recipient=plan.recipient)
    given = [await pacer.reserve("shop", to, wanted) for to in ("ada", "ben")]

    async for key in redis.scan_iter(f"{redis_prefix}*"):
        await redis.delete(key)
    await redis.script_flush()
    again = [await pacer.reserve("shop", to, wanted) for to in ("ada", "cleo")]

    assert [one.wait_ms for one in given] == [0, 0]
    assert [one.part for one in again] == [Part.RECIPIENT, Part.SESSION]
    assert again[0].wait_ms > 500_000
    assert again[1].wait_ms > 90_000


async def test_without_redis_a_worker_decides_by_itself(redis_url: str, redis_prefix: str) -> None:
    """Soon, by the same arithmetic, and it says so."""
    observer = CountingObserver()
    async with TcpProxy.to(redis_url) as proxy:
        settings = CacheSettings.model_validate(
            {"url": proxy.url(redis_url), "prefix": redis_prefix}
        )
        async with Cache.open(settings) as cache:
            pacer = Pacer(
                store=RedisPacing(cache=cache), settings=PacingSettings(), observer=observer
            )
            first = await pacer.reserve("shop", "ada", asked())
            proxy.pause()
            second = await pacer.reserve("shop", "ada", asked())
            third = await pacer.reserve("shop", "ben", asked(longest_ms=0))

    assert first.wait_ms == 0
    assert (second.part, third.part) == (Part.RECIPIENT, Part.SESSION)
    assert 0 < second.wait_ms <= 60_000
    assert third.wait_ms > 0
    assert observer.alone == 2
