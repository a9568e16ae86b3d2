"""What leads out of the process: opened in order, each failing under its own name."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import TypeVar

from gateway_worker.broker.client import Broker
from gateway_worker.commands.features import Feature
from gateway_worker.config import Settings
from gateway_worker.errors import ConfigurationError
from gateway_worker.media.arriving.media_host import MediaHost
from gateway_worker.media.build import make_fetcher
from gateway_worker.media.fetching.fetcher import Fetcher
from gateway_worker.media.fetching.resolving import SystemResolver
from gateway_worker.media.inspection.helpers import Helpers
from gateway_worker.runtime.budget import StopBudget
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.proxies import Proxies
from gateway_worker.sessions.proxy_addresses import ProxyAddresses
from gateway_worker.storage.cache.client import Cache
from gateway_worker.storage.db.copies import PostgresCopyRegister
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.fitness import UnfitDatabaseError
from gateway_worker.storage.db.fleet import fleet_id
from gateway_worker.storage.db.migrate import pending_revisions, upgrade
from gateway_worker.storage.objects.client import Objects
from gateway_worker.storage.objects.snapshots import Snapshots, device_snapshots
from gateway_worker.storage.objects.store import Bucket
from gateway_worker.storage.objects.streams import Streams
from gateway_worker.tracing import Traces, open_traces
from gateway_worker.whatsapp.launcher import HostProcesses

Entered = TypeVar("Entered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """What leads out of the process.

    Attributes:
        lease_database: The database once more, with connections that nothing else uses: the lease
            must not wait for one after everything else.
        streams: Large objects, through connections that copies of device stores do not use.
        fetcher: Gets files from their URLs.
        helpers: The processes that look at files.
        proxies: What leads to sessions' proxies; knows of sessions once there are any.
        traces: The way of commands and what follows from them; None if it is not recorded.
    """

    broker: Broker
    database: Database
    lease_database: Database
    fleet: str
    cache: Cache
    objects: Objects
    streams: Streams
    fetcher: Fetcher
    helpers: Helpers
    snapshots: Snapshots
    media_host: MediaHost
    proxies: Proxies
    hosts: HostProcesses
    traces: Traces | None


async def open_adapters(stack: AsyncExitStack, settings: Settings, budget: StopBudget) -> Adapters:
    """Open what leads outside; each fails with its own name if it cannot be reached.

    Args:
        stack: Closes it all.
        settings: Where it is.
        budget: How long closing may take.
    """

    async def enter(context: AbstractAsyncContextManager[Entered], name: str) -> Entered:
        return await stack.enter_async_context(budget.closing(context, name))

    traces = await enter(_traces(settings), "OTLP")
    database = await until_answered(
        lambda: open_database(stack, settings, budget),
        name="database.open",
        within_seconds=settings.database.startup_timeout_seconds,
    )
    fleet = await until_answered(lambda: fleet_id(database), name="fleet.id")
    objects = await enter(Objects.open(settings.objects), "S3")
    proxies = _proxies(stack, settings)
    few = settings.database.model_copy(update={"pool_size": 1, "pool_overflow": 1})
    return Adapters(
        database=database,
        lease_database=await enter(Database(settings=few), "PostgreSQL"),
        fleet=fleet,
        cache=await enter(Cache.open(settings.cache), "Redis"),
        objects=objects,
        streams=await enter(Streams.open(objects), "S3"),
        fetcher=await enter(
            make_fetcher(settings.media, is_on=Feature.MEDIA_URL in settings.features), "URLs"
        ),
        helpers=await enter(Helpers(), "inspections"),
        snapshots=device_snapshots(
            bucket=Bucket(objects=objects),
            keyring=settings.objects.keyring(),
            register=PostgresCopyRegister(database=database),
            fleet=fleet,
        ),
        media_host=await enter(_media_host(settings, proxies), "media host"),
        proxies=proxies,
        broker=await enter(Broker.open(settings.broker, worker_id=settings.worker_id), "RabbitMQ"),
        hosts=await enter(HostProcesses(settings.whatsapp), "hosts"),
        traces=traces,
    )


def _traces(settings: Settings) -> AbstractAsyncContextManager[Traces | None]:
    return open_traces(
        settings.tracing, worker_id=settings.worker_id, prefix=settings.broker.prefix
    )


def _proxies(stack: AsyncExitStack, settings: Settings) -> Proxies:
    """Return what leads to sessions' proxies; the stack ends the threads that resolve names."""
    resolver = SystemResolver()
    stack.callback(resolver.close)
    return Proxies(
        seal=settings.objects.keyring(),
        otherwise=settings.whatsapp.sandbox_proxy_url,
        addresses=ProxyAddresses(
            permissions=settings.whatsapp.proxy_permissions(), resolver=resolver
        ),
    )


def _media_host(settings: Settings, proxies: Proxies) -> AbstractAsyncContextManager[MediaHost]:
    """Return the way to WhatsApp's media host, which is that of the sessions' hosts."""
    return MediaHost.open(
        proxy_of=proxies.of,
        ca_file=settings.whatsapp.sandbox_ca_file,
        connections=settings.media.parallel,
    )


async def open_database(stack: AsyncExitStack, settings: Settings, budget: StopBudget) -> Database:
    """Open the database; it has to be what this release needs, which is told by name."""
    url = (settings.migrations_url or settings.database.url).get_secret_value()
    if settings.auto_migrate:
        await upgrade(url)
    elif missing := await pending_revisions(url):
        raise ConfigurationError(
            f"DATABASE_URL: the schema lacks {len(missing)} migrations; "
            "run `gateway-worker migrate`, or set AUTO_MIGRATE=true"
        )
    async with AsyncExitStack() as attempt:
        opening = budget.closing(Database(settings=settings.database), "PostgreSQL")
        database = await attempt.enter_async_context(opening)
        try:
            await database.check()
        except UnfitDatabaseError as error:
            if error.passes:
                raise
            raise ConfigurationError(f"DATABASE_URL: {error.detail}") from error
        stack.push_async_exit(attempt.pop_all())
        return database
