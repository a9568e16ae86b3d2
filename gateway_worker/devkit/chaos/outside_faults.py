"""Faults of what the workers depend on: services, the links to them, and WhatsApp."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from gateway_worker.devkit.chaos.database import (
    CLOSED,
    OPEN,
    READS_ONLY,
    WRITES,
    alter_database,
)
from gateway_worker.devkit.chaos.fleet import Fleet
from gateway_worker.devkit.chaos.history import Harm
from gateway_worker.devkit.chaos.intruder import put_old_copy_first
from gateway_worker.devkit.chaos.journal import Journal
from gateway_worker.devkit.chaos.plan import Strike
from gateway_worker.devkit.chaos.witness import Cast
from gateway_worker.devkit.proxy import TcpProxy
from gateway_worker.devkit.services import RunningServices, ServiceHandle
from gateway_worker.errors import GatewayError
from gateway_worker.sandbox.control.client import SandboxClient
from gateway_worker.sandbox.control.models import (
    FaultsBody,
    Injection,
    QueryRefusalBody,
    StanzaBody,
)
from gateway_worker.sandbox.service.faults import RefusalShape, StreamEnd

Links = Sequence[Mapping[str, TcpProxy]]
"""For each worker, the link to each of its dependencies."""

STRANGER = "199999999999999@lid"


def _receipt(kind: str) -> Injection:
    return Injection(
        tag="receipt", attrs={"from": STRANGER, "id": "3EB0C0FFEE", "type": kind, "t": "1790000000"}
    )


UNKNOWN = (
    *map(_receipt, ("server-error", "view", "never-heard-of")),
    Injection(tag="chatstate", attrs={"from": STRANGER}, children=(StanzaBody(tag="recording"),)),
)
"""What phones and WhatsApp say that the library has no name for."""
REFUSALS = (429, 429, 503, 403)
STREAM_ENDS = (None, StreamEnd.RESTART, StreamEnd.INTERNAL, StreamEnd.UNAVAILABLE)
LOST_RECEIPTS = 5
SLOW_SECONDS = (0.02, 0.2)
NARROW_BYTES_PER_SECOND = 30_000
LEASE_PART = 0.3
"""Of a lease: who is cut off from the database for longer may have to kill its hosts, for three
quarters of it may be used, and a third may have passed since it was renewed."""


class OutsideFaults:
    """What can happen around the workers.

    Args:
        lease_seconds: The workers' lease.
    """

    def __init__(
        self,
        *,
        services: RunningServices,
        links: Links,
        fleet: Fleet,
        phones: SandboxClient,
        cast: Sequence[Cast],
        journal: Journal,
        lease_seconds: float,
    ) -> None:
        self._services = services
        self._links = links
        self._fleet = fleet
        self._phones = phones
        self._cast = tuple(cast)
        self._journal = journal
        self._lease_seconds = lease_seconds

    async def broker_restart(self, strike: Strike) -> None:
        """Stop RabbitMQ in good order and start it again."""
        await self._restart(strike, self._services.rabbitmq)

    async def broker_kill(self, strike: Strike) -> None:
        """Kill RabbitMQ and start it again."""
        await self._kill(strike, self._services.rabbitmq)

    async def postgres_restart(self, strike: Strike) -> None:
        """Stop PostgreSQL in good order and start it again."""
        await self._restart(strike, self._services.postgres)

    async def postgres_kill(self, strike: Strike) -> None:
        """Kill PostgreSQL and start it again."""
        await self._kill(strike, self._services.postgres)

    async def postgres_stall(self, strike: Strike) -> None:
        """Freeze PostgreSQL for a while."""
        at = time.time()
        await self._services.postgres.pause()
        try:
            await asyncio.sleep(strike.seconds)
        finally:
            await self._services.postgres.resume()
        self._cut_off(self._all_sessions(), at)
        self._journal.struck(strike, seconds=strike.seconds)

    async def postgres_closed(self, strike: Strike) -> None:
        """Have PostgreSQL end all connections and refuse logins with 55000 for a while."""
        await self._altered(strike, CLOSED, OPEN)

    async def postgres_reads_only(self, strike: Strike) -> None:
        """Have PostgreSQL end all connections and only let read for a while.

        Connections that were made meanwhile only read until they are closed.
        """
        await self._altered(strike, READS_ONLY, WRITES)

    async def redis_kill(self, strike: Strike) -> None:
        """Kill Redis and start it again, empty."""
        await self._kill(strike, self._services.redis)

    async def s3_kill(self, strike: Strike) -> None:
        """Kill the object store and start it again."""
        await self._kill(strike, self._services.s3)

    async def old_copy(self, strike: Strike) -> None:
        """Put an old copy of a device store under the highest name in the bucket."""
        session_id = self._cast[strike.session].session_id
        try:
            key = await put_old_copy_first(self._services.s3.settings, session_id)
        except GatewayError:
            key = None
        if key is None:
            self._journal.missed_target(strike, f"there is no copy of {session_id} now")
        else:
            self._journal.struck(strike, session=session_id, key=key)

    async def link_cut(self, strike: Strike) -> None:
        """Reset one connection of one link in mid-frame, and then all others."""
        async with self._link(strike) as link:
            link.cut_after(strike.size_bytes, strike.direction)
            await asyncio.sleep(strike.seconds)
            link.disarm()
            await link.cut()

    async def link_stall(self, strike: Strike) -> None:
        """Let nothing pass through one link for a while."""
        async with self._link(strike) as link:
            link.pause()
            await asyncio.sleep(strike.seconds)
            link.resume()

    async def link_slow(self, strike: Strike) -> None:
        """Delay what passes through one link."""
        async with self._link(strike) as link:
            low, high = SLOW_SECONDS
            link.delay(low + strike.dice * (high - low))
            await asyncio.sleep(strike.seconds)
            link.delay(0)

    async def link_narrow(self, strike: Strike) -> None:
        """Let little pass at a time."""
        async with self._link(strike) as link:
            link.throttle(NARROW_BYTES_PER_SECOND)
            await asyncio.sleep(strike.seconds)
            link.throttle(0)

    async def whatsapp_drop(self, strike: Strike) -> None:
        """End one session's connection, without a word or with one of WhatsApp's."""
        cast = self._cast[strike.session]
        stream = STREAM_ENDS[int(strike.dice * len(STREAM_ENDS))]
        count = await self._phones.disconnect(cast.account, stream)
        self._journal.struck(strike, session=cast.session_id, stream=stream, connections=count)

    async def whatsapp_redelivery(self, strike: Strike) -> None:
        """Lose some receipts of one session and drop its connection: messages come again."""
        cast = self._cast[strike.session]
        await self._phones.set_faults(cast.account, FaultsBody(lost_receipts=LOST_RECEIPTS))
        await asyncio.sleep(1 + 2 * strike.dice)
        await self._phones.clear_faults(cast.account)
        await self._phones.disconnect(cast.account)
        self._journal.struck(strike, session=cast.session_id)

    async def whatsapp_late_answers(self, strike: Strike) -> None:
        """Hold back WhatsApp's answers to one session's sends: receipts come before them."""
        cast = self._cast[strike.session]
        at = time.time()
        late = FaultsBody(ack_delay_seconds=strike.dice * strike.seconds)
        await self._phones.set_faults(cast.account, late)
        await asyncio.sleep(strike.seconds)
        await self._phones.clear_faults(cast.account)
        self._journal.hit([cast.session_id], Harm.SILENCED, at=at, until=time.time())
        self._journal.struck(strike, session=cast.session_id, seconds=strike.seconds)

    async def whatsapp_unknown(self, strike: Strike) -> None:
        """Say something to one session that its library does not know."""
        cast = self._cast[strike.session]
        at = time.time()
        stanza = UNKNOWN[int(strike.dice * len(UNKNOWN))]
        count = await self._phones.inject(cast.account, stanza)
        self._journal.hit([cast.session_id], Harm.LIBRARY_STOPPED, at=at, until=time.time())
        self._journal.struck(strike, session=cast.session_id, stanza=stanza.tag, connections=count)

    async def whatsapp_refusals(self, strike: Strike) -> None:
        """Have WhatsApp refuse look-ups and keys for a while, most often as too many.

        A host that has just started has to ask; so has a session that writes to somebody new.
        """
        status = REFUSALS[int(strike.dice * len(REFUSALS))]
        shape = RefusalShape.EACH if strike.number % 2 else RefusalShape.WHOLE
        refused = FaultsBody(
            refused_queries=tuple(
                QueryRefusalBody(query=query, status=status, shape=shape)
                for query in ("usync", "encrypt/key")
            )
        )
        await asyncio.gather(*(self._phones.set_faults(one.account, refused) for one in self._cast))
        await asyncio.sleep(strike.seconds)
        await asyncio.gather(*(self._phones.clear_faults(one.account) for one in self._cast))
        self._journal.struck(strike, status=status, shape=shape, seconds=strike.seconds)

    async def whatsapp_outage(self, strike: Strike) -> None:
        """Make WhatsApp unreachable for a while."""
        at = time.time()
        await self._phones.set_reachable(reachable=False)
        try:
            await asyncio.sleep(strike.seconds)
        finally:
            await self._phones.set_reachable(reachable=True)
        self._journal.hit(self._all_sessions(), Harm.SILENCED, at=at, until=time.time())
        self._journal.struck(strike, seconds=strike.seconds)

    async def heal(self) -> None:
        """End whatever is wrong; connections that were lost stay lost."""
        for links in self._links:
            for link in links.values():
                link.delay(0)
                link.throttle(0)
                link.disarm()
                link.resume()
        await self._phones.set_reachable(reachable=True)
        for cast in self._cast:
            await self._phones.clear_faults(cast.account)
        await asyncio.gather(*(service.start() for service in self._services))
        await alter_database(self._services.postgres.url, OPEN, WRITES)

    async def _altered(self, strike: Strike, change: str, back: str) -> None:
        at = time.time()
        url = self._services.postgres.url
        await alter_database(url, change, ends_connections=True)
        try:
            await asyncio.sleep(strike.seconds)
        finally:
            await alter_database(url, back)
        self._cut_off(self._all_sessions(), at)
        self._journal.struck(strike, seconds=round(time.time() - at, 2))

    async def _restart(self, strike: Strike, service: ServiceHandle) -> None:
        at = time.time()
        await service.stop()
        await self._start_again(strike, service, at)

    async def _kill(self, strike: Strike, service: ServiceHandle) -> None:
        at = time.time()
        await service.kill()
        await self._start_again(strike, service, at)

    async def _start_again(self, strike: Strike, service: ServiceHandle, at: float) -> None:
        await asyncio.sleep(strike.seconds)
        await service.start()
        if service is self._services.postgres:
            self._cut_off(self._all_sessions(), at)
        self._journal.struck(strike, seconds=round(time.time() - at, 2))

    @asynccontextmanager
    async def _link(self, strike: Strike) -> AsyncIterator[TcpProxy]:
        """Give one link for a fault, and note afterwards whom it may have hit how."""
        at = time.time()
        sessions = await asyncio.to_thread(self._fleet.crew[strike.worker].hosts)
        yield self._links[strike.worker][strike.service]
        if strike.service == "postgres":
            self._cut_off(sessions, at)
        if strike.service == "whatsapp":
            self._journal.hit(sessions, Harm.SILENCED, at=at, until=time.time())
        self._journal.struck(
            strike, link=strike.service, worker=strike.worker, seconds=strike.seconds
        )

    def _all_sessions(self) -> list[str]:
        return [one.session_id for one in self._cast]

    def _cut_off(self, sessions: Iterable[str], at: float) -> None:
        """Note whose host may have been killed, because its worker's lease could not be renewed."""
        now = time.time()
        if now - at >= LEASE_PART * self._lease_seconds:
            self._journal.hit(sessions, Harm.LEASE_ENDED, at=at, until=now + self._lease_seconds)
