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
from gateway_worker.devkit.chaos.event_recorder import SessionSetup
from gateway_worker.devkit.chaos.fleet import Fleet
from gateway_worker.devkit.chaos.history import ImpactKind
from gateway_worker.devkit.chaos.intruder import put_old_copy_first
from gateway_worker.devkit.chaos.journal import Journal
from gateway_worker.devkit.chaos.plan import Injection
from gateway_worker.devkit.proxies import HostProxies
from gateway_worker.devkit.services import RunningServices, ServiceHandle
from gateway_worker.devkit.services.valkey import LocalValkey
from gateway_worker.errors import GatewayError
from gateway_worker.sandbox.control.client import SandboxClient
from gateway_worker.sandbox.control.models import (
    FaultsBody,
    QueryRefusalBody,
    StanzaBody,
)
from gateway_worker.sandbox.control.models import (
    Injection as InjectedStanza,
)
from gateway_worker.sandbox.service.fault_rules import (
    Cut,
    Delay,
    Drop,
    Effect,
    Error,
    Point,
    Rule,
    Slow,
    Who,
)
from gateway_worker.sandbox.service.faults import RefusalShape, StreamEnd

Links = Sequence[Mapping[str, HostProxies]]
"""For each worker, the link to each of its dependencies."""

STRANGER = "199999999999999@lid"


def _receipt(kind: str) -> InjectedStanza:
    return InjectedStanza(
        tag="receipt", attrs={"from": STRANGER, "id": "3EB0C0FFEE", "type": kind, "t": "1790000000"}
    )


UNKNOWN = (
    *map(_receipt, ("server-error", "view", "never-heard-of")),
    InjectedStanza(
        tag="chatstate", attrs={"from": STRANGER}, children=(StanzaBody(tag="recording"),)
    ),
)
"""What phones and WhatsApp say that the library has no name for."""
FILE_RULE = "chaos-files"
FILE_EFFECTS: Sequence[Effect] = (
    Error(code=503, backoff_seconds=1),
    Error(code=429, backoff_seconds=2),
    Error(code=500),
    Drop(),
    Cut(),
    Slow(bytes_per_second=20_000),
    Delay(seconds=2),
)
"""What passes: a file that is asked for later is there."""
REFUSALS = (429, 429, 503, 403)
STREAM_ENDS = (None, StreamEnd.RESTART, StreamEnd.INTERNAL, StreamEnd.UNAVAILABLE)
LOST_RECEIPTS = 5
SLOW_SECONDS = (0.02, 0.2)
NARROW_BYTES_PER_SECOND = 30_000
LEASE_PART = 0.3
"""Of a lease: who is cut off from the database for longer may have to kill its hosts, for three
quarters of it may be used, and a third may have passed since it was renewed."""


class ServiceFaults:
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
        setups: Sequence[SessionSetup],
        journal: Journal,
        lease_seconds: float,
    ) -> None:
        self._services = services
        self._links = links
        self._fleet = fleet
        self._phones = phones
        self._setups = tuple(setups)
        self._journal = journal
        self._lease_seconds = lease_seconds

    async def broker_restart(self, injection: Injection) -> None:
        """Stop RabbitMQ in good order and start it again."""
        await self._restart(injection, self._services.rabbitmq)

    async def broker_kill(self, injection: Injection) -> None:
        """Kill RabbitMQ and start it again."""
        await self._kill(injection, self._services.rabbitmq)

    async def postgres_restart(self, injection: Injection) -> None:
        """Stop PostgreSQL in good order and start it again."""
        await self._restart(injection, self._services.postgres)

    async def postgres_kill(self, injection: Injection) -> None:
        """Kill PostgreSQL and start it again."""
        await self._kill(injection, self._services.postgres)

    async def postgres_stall(self, injection: Injection) -> None:
        """Freeze PostgreSQL for a while."""
        at = time.time()
        await self._services.postgres.pause()
        try:
            await asyncio.sleep(injection.seconds)
        finally:
            await self._services.postgres.resume()
        self.cut_off(at)
        self._journal.injected(injection, seconds=injection.seconds)

    async def postgres_closed(self, injection: Injection) -> None:
        """Have PostgreSQL end all connections and refuse logins with 55000 for a while."""
        await self._altered(injection, CLOSED, OPEN)

    async def postgres_reads_only(self, injection: Injection) -> None:
        """Have PostgreSQL end all connections and only let read for a while.

        Connections that were made meanwhile only read until they are closed.
        """
        await self._altered(injection, READS_ONLY, WRITES)

    async def redis_kill(self, injection: Injection) -> None:
        """Kill Redis and start it again, empty."""
        at = time.time()
        redis = self._services.redis
        await redis.kill()
        if isinstance(redis, LocalValkey):  # a container's has nothing that outlives it
            redis.forget()
        await self._start_again(injection, redis, at)

    async def s3_kill(self, injection: Injection) -> None:
        """Kill the object store and start it again."""
        await self._kill(injection, self._services.s3)

    async def old_copy(self, injection: Injection) -> None:
        """Put an old copy of a device store under the highest name in the bucket."""
        session_id = self._setups[injection.session].session_id
        try:
            key = await put_old_copy_first(self._services.s3.settings, session_id)
        except GatewayError:
            key = None
        if key is None:
            self._journal.missed_target(injection, f"there is no copy of {session_id} now")
        else:
            self._journal.injected(injection, session=session_id, key=key)

    async def link_cut(self, injection: Injection) -> None:
        """Reset one connection of one link in mid-frame, and then all others."""
        async with self._link(injection) as link:
            link.cut_after(injection.size_bytes, injection.direction)
            await asyncio.sleep(injection.seconds)
            link.disarm()
            await link.cut()

    async def link_stall(self, injection: Injection) -> None:
        """Let nothing pass through one link for a while."""
        async with self._link(injection) as link:
            link.pause()
            await asyncio.sleep(injection.seconds)
            link.resume()

    async def link_slow(self, injection: Injection) -> None:
        """Delay what passes through one link."""
        async with self._link(injection) as link:
            low, high = SLOW_SECONDS
            link.delay(low + injection.dice * (high - low))
            await asyncio.sleep(injection.seconds)
            link.delay(0)

    async def link_narrow(self, injection: Injection) -> None:
        """Let little pass at a time."""
        async with self._link(injection) as link:
            link.throttle(NARROW_BYTES_PER_SECOND)
            await asyncio.sleep(injection.seconds)
            link.throttle(0)

    async def whatsapp_drop(self, injection: Injection) -> None:
        """End one session's connection, without a word or with one of WhatsApp's."""
        setup = self._setups[injection.session]
        stream = STREAM_ENDS[int(injection.dice * len(STREAM_ENDS))]
        count = await self._phones.disconnect(setup.account, stream)
        self._journal.injected(
            injection, session=setup.session_id, stream=stream, connections=count
        )

    async def whatsapp_redelivery(self, injection: Injection) -> None:
        """Lose some receipts of one session and drop its connection: messages come again."""
        setup = self._setups[injection.session]
        await self._phones.set_faults(setup.account, FaultsBody(lost_receipts=LOST_RECEIPTS))
        await asyncio.sleep(1 + 2 * injection.dice)
        await self._phones.clear_faults(setup.account)
        await self._phones.disconnect(setup.account)
        self._journal.injected(injection, session=setup.session_id)

    async def whatsapp_late_answers(self, injection: Injection) -> None:
        """Hold back WhatsApp's answers to one session's sends: receipts come before them."""
        setup = self._setups[injection.session]
        at = time.time()
        late = FaultsBody(ack_delay_seconds=injection.dice * injection.seconds)
        await self._phones.set_faults(setup.account, late)
        await asyncio.sleep(injection.seconds)
        await self._phones.clear_faults(setup.account)
        self._journal.hit([setup.session_id], ImpactKind.SILENCED, at=at, until=time.time())
        self._journal.injected(injection, session=setup.session_id, seconds=injection.seconds)

    async def whatsapp_unknown(self, injection: Injection) -> None:
        """Say something to one session that its library does not know."""
        setup = self._setups[injection.session]
        at = time.time()
        stanza = UNKNOWN[int(injection.dice * len(UNKNOWN))]
        count = await self._phones.inject(setup.account, stanza)
        self._journal.hit([setup.session_id], ImpactKind.LIBRARY_STOPPED, at=at, until=time.time())
        self._journal.injected(
            injection, session=setup.session_id, stanza=stanza.tag, connections=count
        )

    async def whatsapp_refusals(self, injection: Injection) -> None:
        """Have WhatsApp refuse look-ups and keys for a while, most often as too many.

        A host that has just started has to ask; so has a session that writes to somebody new.
        """
        status = REFUSALS[int(injection.dice * len(REFUSALS))]
        shape = RefusalShape.EACH if injection.number % 2 else RefusalShape.WHOLE
        refused = FaultsBody(
            refused_queries=tuple(
                QueryRefusalBody(query=query, status=status, shape=shape)
                for query in ("usync", "encrypt/key")
            )
        )
        await asyncio.gather(
            *(self._phones.set_faults(one.account, refused) for one in self._setups)
        )
        await asyncio.sleep(injection.seconds)
        await asyncio.gather(*(self._phones.clear_faults(one.account) for one in self._setups))
        self._journal.injected(injection, status=status, shape=shape, seconds=injection.seconds)

    async def whatsapp_file_faults(self, injection: Injection) -> None:
        """Have the hosts of files refuse, cut or slow down one session's files for a while."""
        setup = self._setups[injection.session]
        effect = FILE_EFFECTS[int(injection.dice * len(FILE_EFFECTS))]
        rules = [
            Rule(
                id=f"{FILE_RULE}-{injection.number}-{point}",
                point=point,
                who=Who(number=number),
                effect=effect,
            )
            for point, number in (
                (Point.MEDIA_PUT, setup.account),
                (Point.MEDIA_GET, setup.writer),
            )
        ]
        for rule in rules:
            await self._phones.add_rule(rule)
        await asyncio.sleep(injection.seconds)
        for rule in rules:
            await self._phones.remove_rule(rule.id)
        self._journal.injected(
            injection, session=setup.session_id, effect=effect.kind, seconds=injection.seconds
        )

    async def whatsapp_outage(self, injection: Injection) -> None:
        """Make WhatsApp unreachable for a while."""
        at = time.time()
        await self._phones.set_reachable(reachable=False)
        try:
            await asyncio.sleep(injection.seconds)
        finally:
            await self._phones.set_reachable(reachable=True)
        self._journal.hit(self._all_sessions(), ImpactKind.SILENCED, at=at, until=time.time())
        self._journal.injected(injection, seconds=injection.seconds)

    async def heal(self) -> None:
        """End whatever is wrong; connections that were lost stay lost."""
        for links in self._links:
            for link in links.values():
                link.delay(0)
                link.throttle(0)
                link.disarm()
                link.resume()
        await self._phones.set_reachable(reachable=True)
        for setup in self._setups:
            await self._phones.clear_faults(setup.account)
        for rule in await self._phones.rules():
            if rule.id.startswith(FILE_RULE):
                await self._phones.remove_rule(rule.id)
        await asyncio.gather(*(service.start() for service in self._services))
        await alter_database(self._services.postgres.url, OPEN, WRITES)

    def cut_off(self, at: float) -> None:
        """Note that all workers have been without the database since a moment."""
        self._cut_off(self._all_sessions(), at)

    async def _altered(self, injection: Injection, change: str, back: str) -> None:
        at = time.time()
        url = self._services.postgres.url
        await alter_database(url, change, ends_connections=True)
        try:
            await asyncio.sleep(injection.seconds)
        finally:
            await alter_database(url, back)
        self.cut_off(at)
        self._journal.injected(injection, seconds=round(time.time() - at, 2))

    async def _restart(self, injection: Injection, service: ServiceHandle) -> None:
        at = time.time()
        await service.stop()
        await self._start_again(injection, service, at)

    async def _kill(self, injection: Injection, service: ServiceHandle) -> None:
        at = time.time()
        await service.kill()
        await self._start_again(injection, service, at)

    async def _start_again(self, injection: Injection, service: ServiceHandle, at: float) -> None:
        self._journal.struck(injection.kind, at)
        await asyncio.sleep(injection.seconds)
        await service.start()
        if service is self._services.postgres:
            self.cut_off(at)
        self._journal.injected(injection, seconds=round(time.time() - at, 2))

    @asynccontextmanager
    async def _link(self, injection: Injection) -> AsyncIterator[HostProxies]:
        """Give one link for a fault, and note afterwards whom it may have hit how."""
        at = time.time()
        sessions = await asyncio.to_thread(self._fleet.workers[injection.worker].hosts)
        yield self._links[injection.worker][injection.service]
        if injection.service == "postgres":
            self._cut_off(sessions, at)
        if injection.service == "whatsapp":
            self._journal.hit(sessions, ImpactKind.SILENCED, at=at, until=time.time())
        self._journal.injected(
            injection, link=injection.service, worker=injection.worker, seconds=injection.seconds
        )

    def _all_sessions(self) -> list[str]:
        return [one.session_id for one in self._setups]

    def _cut_off(self, sessions: Iterable[str], at: float) -> None:
        """Note who was held up, and whose host may have been killed: the lease was not renewed."""
        now = time.time()
        sessions = list(sessions)
        self._journal.hit(sessions, ImpactKind.HELD_UP, at=at, until=now)
        if now - at >= LEASE_PART * self._lease_seconds:
            self._journal.hit(
                sessions, ImpactKind.LEASE_ENDED, at=at, until=now + self._lease_seconds
            )
