"""A cache on the real Redis, and a plain client that looks at what is there."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from gateway_worker.storage.cache import Cache, CacheSettings


@pytest.fixture
def settings(redis_url: str, redis_prefix: str) -> CacheSettings:
    """Return settings below a prefix of this test's own."""
    return CacheSettings.model_validate({"url": redis_url, "prefix": redis_prefix})


@pytest.fixture
async def cache(settings: CacheSettings) -> AsyncIterator[Cache]:
    """Return an open cache."""
    async with Cache.open(settings) as cache:
        yield cache


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """Return a client of a backend's."""
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client
