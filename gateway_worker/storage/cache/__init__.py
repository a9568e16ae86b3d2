"""Redis: the routing table that backends may read, the last QR codes, who is there, and pacing.

The only user of redis. Nothing here is the truth: whatever it loses is written again from the rows
in PostgreSQL, so the worker starts and works without it.
"""

from gateway_worker.storage.cache.client import Cache
from gateway_worker.storage.cache.pacing import RedisPacing
from gateway_worker.storage.cache.route_cache import RedisRouteCache
from gateway_worker.storage.cache.settings import CacheSettings
from gateway_worker.storage.cache.workers import RedisWorkers

__all__ = ["Cache", "CacheSettings", "RedisPacing", "RedisRouteCache", "RedisWorkers"]
