"""`gateway-worker check`: asks every service at once whether a worker could use it, and says so.

What is required is what `/ready` requires. A service that refuses the settings (a wrong password, a
bucket that is missing) keeps a worker from starting, required or not. So does a directory that is
another worker's; this worker may be running in it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Final

from gateway_worker.broker.client import Broker
from gateway_worker.config import Settings
from gateway_worker.errors import ConfigurationError, DependencyError, GatewayError
from gateway_worker.runtime.budget import finish
from gateway_worker.runtime.os_errors import explain
from gateway_worker.sessions.ownership.disk import examine, looked_at
from gateway_worker.storage.cache.client import Cache, CacheRefusedError
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.fleet import known_fleet
from gateway_worker.storage.db.migrate import pending_revisions
from gateway_worker.storage.db.workers import PostgresWorkerStore
from gateway_worker.storage.objects.client import ForeignAnswerError, Objects, StoreRefusedError
from gateway_worker.storage.objects.store import Bucket, NotKeptError, NotRemovedError
from gateway_worker.tenants.build import build_tenants
from gateway_worker.tenants.keys import NO_KEYS

CHECK_SECONDS: Final = 4.5
_REFUSALS: Final = (
    CacheRefusedError,
    StoreRefusedError,
    ForeignAnswerError,
    NotKeptError,
    NotRemovedError,
)
"""Of a service that answers, and not as it should."""
"""For all of them together: they are asked at the same time."""

Ask = Callable[[AsyncExitStack, Settings], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service that a worker uses.

    Attributes:
        name: For people.
        required: Whether a worker is not ready without it.
        variable: Says where it is.
        without: What a worker is like without it.
        ask: Finds out whether it can be used; raises `GatewayError` or `OSError` if not.
        usable: What is said of it if it can.
    """

    name: str
    required: bool
    variable: str
    without: str
    ask: Ask
    usable: str = "reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of a question.

    Attributes:
        service: Who was asked.
        problem: Why it cannot be used; None if it can.
        is_refusal: Whether it was reached and refuses the settings: a worker would not start.
        is_reached: Whether it was reached, and does not do what a worker will ask of it.
    """

    service: Service
    problem: str | None = None
    is_refusal: bool = False
    is_reached: bool = False

    @property
    def is_failure(self) -> bool:
        """Whether a worker could not work."""
        return self.problem is not None and (self.service.required or self.is_refusal)

    def __str__(self) -> str:
        service = self.service
        head = f"{service.name:<11} {'required' if service.required else 'not required':<13}"
        if self.problem is None:
            return f"{head} {service.usable}"
        if self.is_refusal:
            return f"{head} REFUSED: {self.problem.removeprefix(f'{service.name}: ')}"
        if self.is_reached:
            return f"{head} NOT USABLE: {self.problem}. {service.without}"
        remedy = f"start it, or correct {service.variable}"
        return f"{head} NOT REACHED: {self.problem}. {service.without}; {remedy}"


async def check(settings: Settings) -> tuple[Finding, ...]:
    """Ask every service once, all at the same time; returns within five seconds."""
    services = SERVICES if settings.tenants.jwt_jwks is None else (*SERVICES, KEYS)
    return tuple(await asyncio.gather(*(_find_out(service, settings) for service in services)))


async def _find_out(service: Service, settings: Settings) -> Finding:
    stack = AsyncExitStack()
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await service.ask(stack, settings)
    except TimeoutError:
        return Finding(service=service, problem=f"no answer within {CHECK_SECONDS:g} s")
    except ConfigurationError as error:
        return Finding(service=service, problem=error.detail, is_refusal=True)
    except _REFUSALS as error:
        return Finding(service=service, problem=error.detail, is_reached=True)
    except GatewayError as error:
        return Finding(service=service, problem=error.detail)
    except OSError as error:
        return Finding(service=service, problem=explain(error))
    finally:
        await finish(stack.aclose(), seconds=0.2, name=service.name, cancel_seconds=0.1)
    return Finding(service=service)


async def _ask_broker(stack: AsyncExitStack, settings: Settings) -> None:
    brief = {"startup_timeout_seconds": CHECK_SECONDS - 0.5, "wait_for_broker": False}
    broker = settings.broker.model_copy(update=brief)
    await stack.enter_async_context(Broker.open(broker, worker_id=settings.worker_id))


async def _ask_database(stack: AsyncExitStack, settings: Settings) -> None:
    url = (settings.migrations_url or settings.database.url).get_secret_value()
    missing = await pending_revisions(url)
    if missing and not settings.auto_migrate:
        raise ConfigurationError(
            f"the schema lacks {len(missing)} migrations; run `gateway-worker migrate`, or set"
            " AUTO_MIGRATE=true"
        )
    database = await stack.enter_async_context(Database(settings=settings.database))
    await database.check()


async def _ask_cache(stack: AsyncExitStack, settings: Settings) -> None:
    cache = await stack.enter_async_context(Cache.open(settings.cache))
    await cache.check()


async def _ask_objects(stack: AsyncExitStack, settings: Settings) -> None:
    objects = await stack.enter_async_context(Objects.open(settings.objects))
    try:
        await objects.check()
    except DependencyError as error:
        if isinstance(error.__cause__, ConfigurationError):
            raise error.__cause__ from None
        raise
    bucket, key = Bucket(objects=objects), f"checks/{settings.worker_id}"
    await bucket.put(key, b"read back", content_type="text/plain")
    await bucket.delete(key)


async def _ask_disk(stack: AsyncExitStack, settings: Settings) -> None:
    worker_id = settings.worker_id
    disk = await asyncio.to_thread(looked_at, settings.data_dir, worker_id=worker_id)
    # What only the database knows is left out if it cannot be asked, which is told of it already.
    with suppress(DependencyError, TimeoutError):
        async with asyncio.timeout(CHECK_SECONDS - 0.5):
            database = await stack.enter_async_context(Database(settings=settings.database))
            await examine(
                disk,
                PostgresWorkerStore(database=database, worker_id=worker_id, lease_seconds=1.0),
                fleet=await known_fleet(database),
                are_portable=settings.objects.keyring() is not None,
            )


async def _ask_for_keys(_stack: AsyncExitStack, settings: Settings) -> None:
    keys = build_tenants(settings.tenants).keys
    assert keys is not None
    await keys.refresh()
    if keys.problem == NO_KEYS:
        raise ConfigurationError(NO_KEYS)
    if keys.problem is not None:
        raise DependencyError(keys.problem)


SERVICES: Final = (
    Service(
        name="DATA_DIR",
        required=True,
        variable="DATA_DIR",
        without="Without it a worker has no device stores",
        ask=_ask_disk,
        usable="usable",
    ),
    Service(
        name="RabbitMQ",
        required=True,
        variable="AMQP_URL",
        without="Without it a worker takes no commands",
        ask=_ask_broker,
    ),
    Service(
        name="PostgreSQL",
        required=True,
        variable="DATABASE_URL",
        without="Without it a worker does nothing",
        ask=_ask_database,
    ),
    Service(
        name="Redis",
        required=False,
        variable="REDIS_URL",
        without="Without it backends cannot look up sessions there",
        ask=_ask_cache,
    ),
    Service(
        name="S3",
        required=False,
        variable="S3_ENDPOINT_URL",
        without="Without it device stores are not copied, and sessions cannot move",
        ask=_ask_objects,
    ),
)

KEYS: Final = Service(
    name="JWKS",
    required=True,
    variable="JWT_JWKS",
    without="Without it commands wait, and are then refused as unauthorized",
    ask=_ask_for_keys,
)
"""Where tenants are told apart by tokens."""
