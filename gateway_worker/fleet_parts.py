"""What makes a worker one of a fleet: its reports, its lease, how it takes over, how it leaves."""

from dataclasses import dataclass

from gateway_worker.broker.client import Broker
from gateway_worker.broker.consumer import CommandConsumer
from gateway_worker.commands.build import Commands
from gateway_worker.errors import DependencyError
from gateway_worker.foundation import Foundation
from gateway_worker.health.capacity import CapacityWatch
from gateway_worker.health.heartbeat import Heartbeat, LoadReport
from gateway_worker.health.resources import ResourceMeter
from gateway_worker.log import current_level
from gateway_worker.outbox.build import Outbox
from gateway_worker.sessions.build import Sessions
from gateway_worker.sessions.ownership.drain import Drain
from gateway_worker.sessions.ownership.lease import LeaseKeeper
from gateway_worker.sessions.ownership.takeover import FailoverService
from gateway_worker.storage.cache.presence import WorkerPresence
from gateway_worker.storage.db.workers import PostgresWorkerStore
from gateway_worker.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """What measures the worker, and what tells others."""

    resources: ResourceMeter
    load: LoadReport
    heartbeat: Heartbeat
    capacity: CapacityWatch


class DrainingBroker:
    """The broker, as a drain asks it.

    Args:
        broker: The broker.
        consumer: Knows what is not settled.
    """

    def __init__(self, *, broker: Broker, consumer: CommandConsumer) -> None:
        self._broker = broker
        self._consumer = consumer

    async def backlog(self) -> int:
        """Return how many messages are in this worker's queue or not settled."""
        return await self._broker.depth() + self._consumer.in_flight

    async def check(self) -> None:
        """Raise `DependencyError` if other workers could not be notified now."""
        if problems := self._broker.check().problems:
            raise DependencyError("; ".join(problems))
        await self._broker.depth()

    async def is_listening(self, worker_id: str) -> bool:
        """Whether a worker takes what comes for it. Raises `DependencyError`."""
        return await self._broker.bindings.is_listening(worker_id)


def build_reports(
    base: Foundation,
    sessions: Sessions,
    commands: Commands,
    consumer: CommandConsumer,
    presence: WorkerPresence,
) -> Reports:
    """Build what measures the worker, and what tells the others how it is."""

    def note_full(is_full: bool) -> None:  # noqa: FBT001 - a listener
        commands.dispatcher.note_full(is_full=is_full)
        consumer.take_waiting(wanted=is_full)

    registry, broker = sessions.manager.registry, base.adapters.broker
    resources = ResourceMeter(
        host_pids=base.adapters.hosts.measured_pids, pss_bytes=base.adapters.hosts.pss_bytes
    )
    load = LoadReport(
        worker_id=base.settings.worker_id,
        carried=registry,
        resources=resources,
        queue_depth=broker.depth,
        outbox=base.stores.outbox.backlog,
        log_level=current_level,
        commands=base.counts.commands,
        events=base.counts.events,
    )
    return Reports(
        resources=resources,
        load=load,
        heartbeat=Heartbeat(
            worker_id=base.settings.worker_id,
            report=load,
            events=broker.publisher,
            interval_seconds=base.settings.heartbeat_seconds,
            on_beat=presence.beat,
        ),
        capacity=CapacityWatch(
            worker_id=base.settings.worker_id,
            is_full=lambda: not registry.has_room,
            waiting=broker.unassigned_depth,
            free=base.stores.sessions.room,
            waiting_here=lambda: commands.dispatcher.without_room,
            on_full=note_full,
            events=broker.publisher,
            interval_seconds=base.settings.heartbeat_seconds,
        ),
    )


def build_lease(
    base: Foundation, leases: PostgresWorkerStore, sessions: Sessions, consumer: CommandConsumer
) -> LeaseKeeper:
    """Build what keeps the lease, and stops the sessions when it has lapsed."""

    async def regained() -> None:
        await sessions.manager.check_ownership()
        consumer.reinstate()

    return LeaseKeeper(
        leases=leases,
        hosts=base.adapters.hosts,
        lease_state=sessions.lease_state,
        on_lapsed=consumer.suspend,
        on_regained=regained,
        version=VERSION,
        capacity=base.settings.capacity,
    )


def build_failover(
    base: Foundation, outbox: Outbox, sessions: Sessions, consumer: CommandConsumer
) -> FailoverService:
    """Build what takes over from workers that have died."""
    return FailoverService(
        worker_id=base.settings.worker_id,
        lease_state=sessions.lease_state,
        settle_seconds=base.settings.lease_seconds / 2,
        workers=PostgresWorkerStore(
            database=base.adapters.database,
            worker_id=base.settings.worker_id,
            lease_seconds=base.settings.lease_seconds,
        ),
        sessions=base.stores.sessions,
        intake=consumer,
        relay=outbox.relay,
        here=sessions.manager,
    )


def build_drain(
    base: Foundation,
    outbox: Outbox,
    sessions: Sessions,
    commands: Commands,
    consumer: CommandConsumer,
) -> Drain:
    """Build what hands the sessions over when the worker is to leave."""
    return Drain(
        worker_id=base.settings.worker_id,
        here=sessions.manager.registry,
        depart=sessions.manager.departures.depart,
        sessions=base.stores.sessions,
        recorder=outbox.recorder,
        commands=commands.dispatcher,
        is_portable=base.adapters.snapshots.are_portable,
        broker=DrainingBroker(broker=base.adapters.broker, consumer=consumer),
    )
