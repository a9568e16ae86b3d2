"""AMQP connections that are made again for as long as it takes.

The worker has several. A broker that is short of memory stops reading a connection that publishes,
and acknowledgements on it would wait with the rest. And one on which much has come is read slowly
(`intake`): what is asked on it, and what comes from another queue, would come late.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ConnectionClosed
from yarl import URL

from gateway_worker.broker.failures import as_dependency_error, as_rejected_login, bounded
from gateway_worker.broker.intake import Intake
from gateway_worker.broker.oversize import Largest
from gateway_worker.broker.settings import BrokerSettings
from gateway_worker.broker.stats import Counters
from gateway_worker.broker.underlay import Channel, Connection
from gateway_worker.errors import DependencyError
from gateway_worker.runtime.retry import Backoff

log = structlog.get_logger(__name__)

CLOSE_TIMEOUT_SECONDS = 2.0
CHECK_INTERVAL_SECONDS = 2.0
_NO_ATTEMPT = "no attempt was made"
STABLE_SECONDS = 30.0
"""A connection that lived this long resets the waits. One that keeps dying does not: each loss
counts as a delivery for every unsettled command, and too many deliveries make a dead letter."""


class ReconnectingConnection:
    """Keeps one connection up, to whichever of the broker's hosts takes it.

    Args:
        name: Its part, for logs and for the broker's list of connections.
        worker_id: Whose connection it is, for the same list.
        settings: Where the broker is and how long to wait.
        counters: Where reconnects are counted.
        largest: The largest body that is read whole; by default any.
        intake: Says when to read more slowly; by default never.
    """

    def __init__(
        self,
        *,
        name: str,
        worker_id: str,
        settings: BrokerSettings,
        counters: Counters,
        largest: Largest | None = None,
        intake: Intake | None = None,
    ) -> None:
        self.name = name
        self._largest = largest
        self._intake = intake
        self._settings = settings
        self._counters = counters
        query: dict[str, str | int] = {
            "heartbeat": settings.heartbeat_seconds,
            "name": f"{worker_id}:{name}",
        }
        self._urls = deque(URL(url).update_query(query) for url in settings.urls)
        # Workers would all be at the host that is named first; nothing secret is drawn
        self._urls.rotate(random.randrange(len(self._urls)))  # noqa: S311
        self._backoff = Backoff(
            initial_seconds=settings.reconnect_initial_seconds,
            maximum_seconds=settings.reconnect_maximum_seconds,
        )
        self._connection: Connection | None = None
        self._lost: asyncio.Future[str] | None = None
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._last_failure = _NO_ATTEMPT
        self._on_change: list[Callable[[], None]] = []

    @property
    def is_up(self) -> bool:
        """Whether there is a connection that works as far as we know."""
        return self._up.is_set()

    @property
    def has_begun(self) -> bool:
        """Whether there is to be a connection."""
        return self._task is not None or self._connection is not None

    @property
    def last_failure(self) -> str:
        """Why there is no connection, in words."""
        return self._last_failure

    @property
    def problem(self) -> str | None:
        """Why there is no connection; None if there is one, or none was tried to be had so far."""
        return None if self.is_up or self._last_failure == _NO_ATTEMPT else self._last_failure

    def on_change(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, without delay, whenever the connection comes or goes."""
        self._on_change.append(callback)

    @property
    def is_dead(self) -> bool:
        """Whether the connection has ended, noticed or not."""
        return self._connection is None or not self._connection.is_open

    async def ready(self) -> None:
        """Return when the connection is up."""
        await self._up.wait()

    async def lost(self) -> None:
        """Return when the loss of the connection was noticed."""
        await self._down.wait()

    @property
    def broker_version(self) -> tuple[int, ...]:
        """The first two numbers of the broker's version; empty without a connection."""
        return () if self._connection is None else self._connection.broker_version

    def is_blocked(self) -> bool:
        """Tell whether the broker has stopped reading from this connection (an alarm)."""
        return self._connection is not None and self._connection.is_blocked

    async def open(self) -> None:
        """Connect for the first time, then keep the connection up until `close`.

        Raises:
            DependencyError: No connection within the time for the start (unless told to wait).
            ConfigurationError: The broker refuses the user, the password or the virtual host.
        """
        settings = self._settings
        limit = None if settings.wait_for_broker else settings.startup_timeout_seconds
        try:
            async with asyncio.timeout(limit):
                connection = await self._connect_until_done(is_start=True)
        except TimeoutError:
            raise DependencyError(
                f"RabbitMQ at {settings.address} cannot be reached within {limit:g} s: "
                f"{self._last_failure}"
            ) from None
        self._adopt(connection)
        self._task = asyncio.create_task(self._keep(), name=f"broker:{self.name}")

    def begin(self) -> None:
        """Connect as soon as that is possible, then keep the connection up until `close`.

        Nothing is done if it is up, or is being made. A login that is refused is tried again.
        """
        if not self.has_begun:
            self._task = asyncio.create_task(self._begin(), name=f"broker:{self.name}")

    async def close(self) -> None:
        """Close the connection for good; takes a few seconds at most."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        connection = self._connection
        self._drop("closed")
        if connection is not None:
            await self._dispose(connection)

    async def channel(self, *, confirms: bool) -> Channel:
        """Open a channel. Raises `DependencyError` if there is no connection or no answer."""
        if self._connection is None:
            raise DependencyError(f"RabbitMQ ({self.name}): {self._last_failure}")
        return await bounded(
            self._connection.open_channel(confirms=confirms),
            seconds=self._settings.request_timeout_seconds,
            what="open a channel",
        )

    def suspect(self, reason: str) -> None:
        """Give the connection up although it has not failed by itself, and make another."""
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(reason)

    async def _begin(self) -> None:
        self._adopt(await self._connect_until_done())
        await self._keep()

    async def _keep(self) -> None:
        while True:
            await self._until_lost()
            connection = self._connection
            self._drop(self._last_failure)
            log.warning("broker.lost", connection=self.name, reason=self._last_failure)
            if connection is not None:
                await self._dispose(connection)
            await asyncio.sleep(self._backoff.next_seconds())
            self._adopt(await self._connect_until_done())
            self._counters.reconnects += 1
            log.info("broker.reconnected", connection=self.name)

    async def _until_lost(self) -> None:
        assert self._lost is not None
        assert self._connection is not None
        since = asyncio.get_running_loop().time()
        while not self._lost.done():
            await asyncio.wait({self._lost}, timeout=CHECK_INTERVAL_SECONDS)
            # Its tasks may have ended without the connection noticing.
            if not self._lost.done() and not self._connection.is_open:
                self._lost.set_result("its reader or writer has ended")
        self._last_failure = self._lost.result()
        if asyncio.get_running_loop().time() - since > STABLE_SECONDS:
            self._backoff.reset()

    async def _connect_until_done(self, *, is_start: bool = False) -> Connection:
        asked = 0
        while True:
            try:
                return await self._connect()
            except (Exception, asyncio.CancelledError) as error:
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                rejected = as_rejected_login(error, self._settings.address)
                if rejected and is_start and not self._settings.wait_for_broker:
                    raise rejected from error
                failure = rejected or as_dependency_error(error, "connect")
                self._last_failure = failure.detail
            log.warning("broker.unreachable", connection=self.name, reason=self._last_failure)
            asked += 1
            if asked % len(self._urls) == 0:  # each host has been asked once more
                await asyncio.sleep(self._backoff.next_seconds())

    async def _connect(self) -> Connection:
        """Ask one host; the next time it is the next one's turn, also when this one is lost."""
        url = self._urls[0]
        self._urls.rotate(-1)
        connection = Connection(url, largest=self._largest, intake=self._intake)
        async with asyncio.timeout(self._settings.connect_timeout_seconds):
            await connection.connect()
        return connection

    def _adopt(self, connection: Connection) -> None:
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def notice(_: AbstractConnection | None, error: BaseException | None) -> None:
            if not lost.done():
                lost.set_result(_reason(error))

        connection.close_callbacks.add(notice)
        self._connection, self._lost = connection, lost
        self._down.clear()
        self._up.set()
        self._tell()

    def _drop(self, reason: str) -> None:
        self._connection, self._last_failure = None, reason
        self._up.clear()
        self._down.set()
        self._tell()

    def _tell(self) -> None:
        for callback in self._on_change:
            callback()

    @staticmethod
    async def _dispose(connection: Connection) -> None:
        with contextlib.suppress(DependencyError):
            await bounded(
                connection.close(ConnectionClosed(200, "closed by the worker")),
                seconds=CLOSE_TIMEOUT_SECONDS,
                what="close the connection",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """A worker's connections to the broker.

    Attributes:
        consuming: Brings what is in the worker's own queue.
        attending: Brings what is in those of workers that have died, and what nobody has room for;
            it is made when there is such a queue.
        managing: Asks and declares; it brings what sessions without an owner get, in small numbers.
        publishing: Publishes, and does nothing else.
    """

    consuming: ReconnectingConnection
    attending: ReconnectingConnection
    managing: ReconnectingConnection
    publishing: ReconnectingConnection

    def __iter__(self) -> Iterator[ReconnectingConnection]:
        """Iterate over those that there are to be."""
        found = (getattr(self, field.name) for field in fields(self))
        return (connection for connection in found if connection.has_begun)


def _reason(error: BaseException | None) -> str:
    if error is None or isinstance(error, asyncio.CancelledError):
        return "the peer was silent or the connection was cancelled"
    return str(error) or type(error).__name__


async def close_channel(
    channel: Channel, *, timeout_seconds: float = CLOSE_TIMEOUT_SECONDS
) -> bool:
    """Close a channel, or leave it behind after a short while; tell whether it is closed."""
    if channel.is_closed:
        return True
    try:
        await bounded(channel.close(), seconds=timeout_seconds, what="close a channel")
    except DependencyError:
        return False
    return True
