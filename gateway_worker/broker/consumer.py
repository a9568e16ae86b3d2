"""Takes commands from the worker's own queue and from the shared one; the dispatcher gets them.

What runs in the library's callback only routes. Work goes on in the dispatcher's own tasks, which
a lost connection does not touch: the same commands come again, and the tracker tells them from new
ones.
"""

import asyncio
import contextlib
from collections.abc import Callable

import structlog
from aio_pika.abc import AbstractIncomingMessage

from gateway_contracts import Topology
from gateway_worker.broker.ack_writer import AckWriter
from gateway_worker.broker.backlogs import Backlogs
from gateway_worker.broker.connection import Connections, ReconnectingConnection
from gateway_worker.broker.delivery import CommandDelivery, Handle, excess
from gateway_worker.broker.delivery_tracker import Arrival, DeliveryTracker, sender_of
from gateway_worker.broker.failures import is_cancelled
from gateway_worker.broker.headers import AUTHORIZATION, TENANT, take_away_claims
from gateway_worker.broker.oversize import read_cut
from gateway_worker.broker.peer_queues import PeerQueues
from gateway_worker.broker.prefetch import Prefetch, wide_enough
from gateway_worker.broker.publisher import Publisher
from gateway_worker.broker.queue_removal import QueueRemoval
from gateway_worker.broker.room import Room
from gateway_worker.broker.settings import BrokerSettings
from gateway_worker.broker.settlement import Settlements
from gateway_worker.broker.stats import Counters
from gateway_worker.broker.subscription import Subscription
from gateway_worker.broker.topology import Declarer
from gateway_worker.broker.upkeep import Upkeep
from gateway_worker.broker.watch import ConsumerWatch
from gateway_worker.commands.ports import CommandSink, Excess
from gateway_worker.tenants.grants import EVERYTHING, Grant, of_stamp
from gateway_worker.tenants.verifying import Claims, Verifier

log = structlog.get_logger(__name__)

SMALL_SHARES = 3
"""So many times the memory of large commands may all that are held take before more are asked for:
some 15,000 of 4 KiB, or 40,000 short ones. The prefetch has doubled then for the last time."""
CANCELLED_LEAVE_SECONDS = 0.3
"""How long a consumer that was cancelled waits for the broker to let it go."""
UPKEEP_PAUSE_SECONDS = 5.0
"""The longest pause between two looks at the broker while something seems to be wrong."""
_IGNORES_SENT_DEATHS = (4, 0)
"""The RabbitMQ from which on a sender's malformed `x-death` does no harm to dead letters."""


class CommandConsumer:
    """Consumes commands (a service).

    Args:
        sink: Takes each new command.
        connections: Where each queue is consumed.
        own_room: Counts what has come from the worker's own queue and is in memory.
        others_room: The same of what has come from elsewhere.
        declarer: Makes sure that the queues are there.
        publisher: Takes the dead letters.
        backlogs: Watches the queues that others empty.
        topology: The names.
        worker_id: Whose queue is consumed.
        settings: Prefetch and timeouts.
        counters: Where events are counted.
        verifier: Verifies who has sent a command; None in a fleet without tenants.
        most_waiting: How many commands of one tenant may be unsettled here before those that its
            backends send are refused; 0: any number.
        is_alone: Whether no other worker can be waiting at the own queue, as it is while this
            worker's lease is held.
    """

    def __init__(  # noqa: PLR0913 - it is where everything that comes in meets
        self,
        *,
        sink: CommandSink,
        connections: Connections,
        own_room: Room,
        others_room: Room,
        declarer: Declarer,
        publisher: Publisher,
        backlogs: Backlogs,
        topology: Topology,
        worker_id: str,
        settings: BrokerSettings,
        counters: Counters,
        verifier: Verifier | None = None,
        most_waiting: int = 0,
        is_alone: Callable[[], bool] = lambda: True,
    ) -> None:
        self._sink = sink
        self._is_alone = is_alone
        self._most_waiting = most_waiting
        self._verifier = verifier
        self._connections = connections
        self._own_room, self._others_room = own_room, others_room
        self._declarer = declarer
        self._counters = counters
        self._settings = settings
        self._tracker = DeliveryTracker(remembered=settings.remembered_commands)
        self._most_cost = SMALL_SHARES * settings.unsettled_bytes
        self._idle = asyncio.Event()
        self._idle.set()
        self._settlements = Settlements(
            tracker=self._tracker,
            publisher=publisher,
            counters=counters,
            on_settled=self._note_settled,
        )
        self._backlogs = backlogs
        self._upkeep = Upkeep(
            declarer=declarer,
            publisher=publisher,
            topology=topology,
            worker_id=worker_id,
            counters=counters,
        )
        self._is_upkeep_due = asyncio.Event()
        publisher.on_returned(self._is_upkeep_due.set)
        publisher.on_refused(self._is_upkeep_due.set)
        self._topology = topology
        self._worker_id = worker_id
        self._peer_queues = PeerQueues(subscribe=self._subscribe_to, retire=self._retire)
        self._removal = QueueRemoval(
            declarer=declarer,
            topology=topology,
            subscribe=self._subscribe_to,
            retire=self._retire,
        )
        self._retiring: set[asyncio.Task[None]] = set()
        self._own, self._shared, self._waiting = self._subscriptions()
        self._own_size = settings.prefetch
        self._is_running = False
        self._is_suspended = False
        self._is_paused = False
        self._has_room = True
        self._takes_waiting = False
        self._is_leaving = False
        self._watch = ConsumerWatch(
            consumed=lambda: self._own,
            connection=connections.consuming,
            declarer=declarer,
            interval_seconds=settings.watch_interval_seconds,
        )
        if verifier is not None:
            verifier.watch(self._apply)

    @property
    def in_flight(self) -> int:
        """Commands handed out and not settled."""
        return len(self._tracker)

    @property
    def is_consuming(self) -> bool:
        """Whether commands come in from the worker's own queue."""
        return self._own.is_active

    @property
    def is_wanted(self) -> bool:
        """Whether commands should come in now: neither paused nor leaving, and senders known."""
        return self._own.is_wanted

    @property
    def problem(self) -> str | None:
        """What is wrong at the broker and cannot be mended from here; None if nothing is."""
        problems = (self._own.problem, self._shared.problem, self._waiting.problem)
        return self._upkeep.problem or next(filter(None, problems), None)

    @property
    def attended(self) -> frozenset[str]:
        """The dead workers whose queues are consumed too."""
        return self._peer_queues.workers

    def pause(self) -> None:
        """Take no more commands (the database is unavailable); unsettled ones stay. Idempotent.

        Only those of attended queues go back, if it takes long: another worker is to get them then.
        """
        self._is_paused = True
        self._apply()

    def resume(self) -> None:
        """Take commands again. Idempotent."""
        self._is_paused = False
        self._apply()

    async def suspend(self) -> None:
        """Give back everything unsettled and take nothing more: this worker may not execute now.

        What is done with those deliveries later changes nothing; they are new when they come again.
        Independent of `pause` and `resume`. Idempotent; returns when the broker has everything.
        """
        if not self._is_suspended:
            self._is_suspended = True
            retired = (self._own, self._shared, self._waiting)
            self._own, self._shared, self._waiting = self._subscriptions()
            self._own_size = self._settings.prefetch
            self._apply()
            for subscription in retired:
                self._retire(subscription)
            log.warning("consumer.suspended")
        await self._retired()

    def reinstate(self) -> None:
        """Take commands again after `suspend`. Idempotent."""
        if self._is_suspended:
            self._is_suspended = False
            self._start()
            self._apply()
            log.info("consumer.reinstated")

    def attend(self, worker_id: str) -> None:
        """Consume a dead worker's queue too. Idempotent.

        Its deliveries have its id as their origin. A queue that does not exist is waited for.
        """
        if worker_id == self._worker_id:
            raise ValueError("a worker's own queue needs no attendance")
        self._peer_queues.attend(worker_id)

    async def dismiss(self, worker_id: str) -> None:
        """Stop consuming a dead worker's queue; what is not settled goes back in its order.

        What is done with those deliveries later changes nothing; they are new when they come again.
        Idempotent; returns when the broker has everything, or cannot be told.
        """
        await self._peer_queues.dismiss(worker_id)

    async def remove_queue(self, worker_id: str) -> bool:
        """Remove the queue of a worker that will not come back, after what is in it is dealt with.

        Returns False if it is still needed, as far as can be seen now. Raises `DependencyError`.
        """
        is_attended = worker_id == self._worker_id or worker_id in self.attended
        if is_attended or not self._own.is_wanted:
            return False
        return await self._removal.remove(worker_id)

    def widen(self, held: int) -> None:
        """Let commands of the own queue come past those that are held without being settled.

        Cheap to call with every change: the prefetch grows by doubling, and is normal again when
        nothing is held. It grows no more once what is held takes several times the memory that
        the bodies of large commands may take.

        Args:
            held: How many deliveries of the own queue are held now.
        """
        size = wide_enough(self._settings.prefetch, held, now=self._own_size)
        if size > self._own_size and self._tracker.cost_bytes > self._most_cost:
            return
        self._own_size = size
        self._own.resize(size)

    def pause_unassigned(self) -> None:
        """Take no more commands of sessions without an owner (there is no room). Idempotent."""
        self._has_room = False
        self._apply()

    def resume_unassigned(self) -> None:
        """Take commands of sessions without an owner again. Idempotent."""
        self._has_room = True
        self._apply()

    def take_waiting(self, *, wanted: bool) -> None:
        """Take the commands of sessions without an owner although there is no room, or leave them.

        For when nobody has room: then somebody has to look at their deadlines. Idempotent.
        """
        if wanted != self._takes_waiting:
            self._takes_waiting = wanted
            self._start()
            self._apply()

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set, then drain.

        Draining stops the intake, waits until everything unsettled is settled, and gives back what
        was not (all of it at once if the wait is cancelled).
        """
        self._is_running = True
        self._warn_of_senders()
        self._start()
        self._apply()
        watching = (
            asyncio.create_task(self._watch.run(), name="broker:watch"),
            asyncio.create_task(self._keep_up(), name="broker:upkeep"),
        )
        try:
            await stop.wait()
            for task in watching:
                task.cancel()
            await self.stop_intake()
            await self.idle()
        finally:
            for task in watching:
                task.cancel()
            await self._upkeep.stop()
            await self._leave()

    def _warn_of_senders(self) -> None:
        """Say so if the broker can be brought down by those whom this fleet does not trust."""
        version = self._connections.consuming.broker_version
        if self._verifier is not None and version and version < _IGNORES_SENT_DEATHS:
            log.warning("broker.too_old_for_tenants", version=".".join(map(str, version)))

    async def stop_intake(self) -> None:
        """Stop taking commands for good and return when none can come any more. Idempotent.

        From here on what is settled as `REQUEUE` goes back together, in the order it had.
        """
        self._is_leaving = True
        self._settlements.hold_back()
        self._apply()
        for subscription in (self._waiting, self._shared, self._own):
            await subscription.applied(timeout_seconds=self._settings.request_timeout_seconds)
        await self._retired()

    async def idle(self) -> None:
        """Return when nothing is unsettled."""
        await self._idle.wait()

    async def _leave(self) -> None:
        self._is_leaving = True
        self._apply()
        undone = self.in_flight
        stopping = asyncio.gather(
            self._waiting.stop(), self._shared.stop(), self._own.stop(), self._retired()
        )
        # A worker that has no time left does not wait for a broker that says nothing.
        patience = CANCELLED_LEAVE_SECONDS if is_cancelled() else None
        await asyncio.wait((stopping,), timeout=patience)
        self._counters.given_back += undone
        log.info("consumer.stopped", unfinished=undone)

    def _start(self) -> None:
        if self._is_running and not self._is_suspended:
            self._own.start()
            self._shared.start()
            if self._takes_waiting:
                self._waiting.start()

    def _subscriptions(self) -> tuple[Subscription, Subscription, Subscription]:
        """Return one to the own queue, one to the shared one, and one to all that waits there."""
        own = self._subscription(
            self._worker_id,
            connection=self._connections.consuming,
            room=self._own_room,
            size=self._settings.prefetch,
        )
        # Few at a time: they come where the broker is asked, and are never read slowly.
        shared = self._subscription(
            None,
            connection=self._connections.managing,
            room=self._others_room,
            size=self._settings.unassigned_prefetch,
        )
        return own, shared, self._subscribe_to(None)

    def _subscribe_to(self, worker_id: str | None) -> Subscription:
        """Return one to a queue of others, with all that waits there."""
        return self._subscription(
            worker_id,
            connection=self._connections.attending,
            room=self._others_room,
            size=self._settings.attended_prefetch,
        )

    def _subscription(
        self, worker_id: str | None, *, connection: ReconnectingConnection, room: Room, size: int
    ) -> Subscription:
        is_own, topology = worker_id == self._worker_id, self._topology
        return Subscription(
            queue=topology.unassigned if worker_id is None else topology.worker_queue(worker_id),
            origin=worker_id,
            # Where others wait in line, another consumer's turn would come with each change.
            prefetch=Prefetch(size=size, follows=is_own),
            connection=connection,
            room=room,
            declarer=self._declarer,
            route=self._route,
            settings=self._settings,
            counters=self._counters,
            # In the shared queue there is no order to keep; another's consumer is never replaced.
            is_alone=self._is_alone if is_own else lambda: True,
        )

    def _retire(self, subscription: Subscription) -> asyncio.Task[None]:
        subscription.ignore()
        self._counters.given_back += self._tracker.detach(subscription.queue)
        self._note_settled()
        closing = asyncio.create_task(
            subscription.stop(), name=f"broker:retire:{subscription.queue}"
        )
        self._retiring.add(closing)
        closing.add_done_callback(self._retiring.discard)
        return closing

    async def _retired(self) -> None:
        if self._retiring:
            await asyncio.wait(self._retiring)

    def _apply(self) -> None:
        is_able = self._verifier is None or self._verifier.is_able
        is_open = not (self._is_suspended or self._is_leaving)
        is_paused = self._is_paused or not is_able
        takes = is_open and not is_paused
        self._peer_queues.apply(is_allowed=is_open and self._is_running, is_paused=is_paused)
        for subscription, wanted in (
            (self._own, takes),
            (self._shared, takes and self._has_room and not self._takes_waiting),
            (self._waiting, takes and self._takes_waiting),
        ):
            if wanted:
                subscription.want()
            else:
                # Nothing of it may be looked at before it can be said who has sent it.
                subscription.refuse(keeps_all=not is_able)

    def _route(
        self, subscription: Subscription, acks: AckWriter, message: AbstractIncomingMessage
    ) -> None:
        grant = EVERYTHING
        if message.exchange == self._topology.internal:
            if self._upkeep.take(message, origin=subscription.origin):
                acks.acknowledge(message.delivery_tag or 0)
                return
            if self._verifier is not None:
                grant = of_stamp(message.headers.get(TENANT))
        else:
            authorization = message.headers.get(AUTHORIZATION)
            self._check_claims(subscription, message)
            if self._verifier is not None:
                grant = self._verify(self._verifier, message, authorization)
            self._backlogs.learn(message.app_id)
        cut = read_cut(message.body)
        if cut is not None:
            self._counters.oversized += 1
            log.warning("command.oversized", queue=subscription.queue, size_bytes=cut.size)
        handle = Handle(acks, message.delivery_tag or 0)
        arrival, key = self._tracker.classify(
            message,
            handle,
            queue=subscription.queue,
            sender=None if self._verifier is None else grant.stamp,
        )
        if arrival is Arrival.IN_WORK:
            self._counters.reattached += 1
            return
        if arrival is Arrival.SETTLED:
            self._counters.acknowledged_again += 1
            acks.acknowledge(handle.tag)
            return
        delivery = CommandDelivery(
            message=message,
            cut=cut,
            handle=handle,
            key=key,
            queue=subscription.queue,
            origin=subscription.origin,
            settler=self._settlements,
            room=subscription.room,
            grant=grant,
            excess=self._excess(message, grant, subscription.room),
        )
        self._tracker.enter(delivery)
        self._idle.clear()
        self._counters.delivered += 1
        try:
            self._sink.accept(delivery)
        except Exception:
            # Nobody will settle it; the broker has it until the channel closes.
            self._tracker.forget(delivery)
            log.exception("command.not_accepted")

    def _excess(self, message: AbstractIncomingMessage, grant: Grant, room: Room) -> Excess | None:
        """Say why a command is more than may wait, if it is.

        What a worker sends on was let in there. Or it was not: then it is not here either, for it
        does not keep its place among those of its session.
        """
        if message.exchange == self._topology.internal:
            return excess(message)
        if grant.tenant is not None and 0 < self._most_waiting <= self._tracker.of_tenant(
            grant.tenant
        ):
            return Excess.COMMANDS
        # What comes again was let in before, and may have begun.
        sender = sender_of(message, grant)
        if message.redelivered or room.waiting.have_room(sender, len(message.body)):
            return None
        return Excess.BYTES

    @staticmethod
    def _verify(
        verifier: Verifier, message: AbstractIncomingMessage, authorization: object
    ) -> Grant:
        """Verify a message's sender, and note on it for whom: it may be sent on, or come back."""
        grant = verifier.verify(
            Claims(
                user_id=message.user_id,
                authorization=authorization,
                is_redelivered=bool(message.redelivered),
            )
        )
        message.headers[TENANT] = grant.stamp
        return grant

    def _check_claims(self, subscription: Subscription, message: AbstractIncomingMessage) -> None:
        """Take away what only a worker may say: the broker does not vouch that one has said it."""
        if claims := take_away_claims(message):
            self._counters.claims_ignored += 1
            log.warning("command.claims_ignored", queue=subscription.queue, headers=claims)

    def _note_settled(self) -> None:
        if not len(self._tracker):
            self._idle.set()

    async def _keep_up(self) -> None:
        """Look after what is at the broker, now and then and whenever something seems wrong."""
        interval = self._settings.upkeep_interval_seconds
        pause = min(interval, UPKEEP_PAUSE_SECONDS)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await self._is_upkeep_due.wait()
            self._is_upkeep_due.clear()
            if not self._declarer.is_ready:
                await asyncio.sleep(pause)
                continue
            try:
                # A probe comes back in its turn.
                is_quick = not self._own_room.intake.is_slow
                await self._upkeep.look(may_probe=self._own.is_active and is_quick)
                await self._backlogs.look()
            except Exception:  # as above
                log.exception("consumer.upkeep_failed")
            await asyncio.sleep(pause)
