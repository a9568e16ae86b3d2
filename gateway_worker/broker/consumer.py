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
from gateway_worker.broker.connection import ReconnectingConnection
from gateway_worker.broker.delivery import CommandDelivery, Handle, excess
from gateway_worker.broker.delivery_tracker import Arrival, DeliveryTracker
from gateway_worker.broker.failures import is_cancelled
from gateway_worker.broker.headers import AUTHORIZATION, TENANT, take_away_claims
from gateway_worker.broker.intake import Intake
from gateway_worker.broker.oversize import read_cut
from gateway_worker.broker.peer_queues import PeerQueues
from gateway_worker.broker.prefetch import Prefetch, wide_enough
from gateway_worker.broker.publisher import Publisher
from gateway_worker.broker.queue_removal import QueueRemoval
from gateway_worker.broker.settings import BrokerSettings
from gateway_worker.broker.settlement import Settlements
from gateway_worker.broker.stats import Counters
from gateway_worker.broker.subscription import Subscription
from gateway_worker.broker.topology import Declarer
from gateway_worker.broker.upkeep import Upkeep
from gateway_worker.commands.ports import CommandSink, Excess
from gateway_worker.errors import ConfigurationError, DependencyError
from gateway_worker.tenants.grants import EVERYTHING, Grant, of_stamp
from gateway_worker.tenants.verifying import Claims, Verifier

log = structlog.get_logger(__name__)

MISSES_BEFORE_ACTION = 2
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
        connection: The consuming connection.
        intake: Counts what has come on it and is in memory.
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
        connection: ReconnectingConnection,
        intake: Intake,
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
        self._connection = connection
        self._intake = intake
        self._declarer = declarer
        self._counters = counters
        self._settings = settings
        self._tracker = DeliveryTracker(
            remembered=settings.remembered_commands,
            most_bytes=settings.unsettled_bytes,
            intake=intake,
        )
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
        self._own, self._shared = self._subscribe_to(worker_id), self._subscribe_to(None)
        self._own_size = settings.prefetch
        self._is_running = False
        self._is_suspended = False
        self._is_paused = False
        self._has_room = True
        self._takes_waiting = False
        self._is_leaving = False
        self._misses = 0
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
        return self._upkeep.problem or self._own.problem or self._shared.problem

    @property
    def attended(self) -> frozenset[str]:
        """The dead workers whose queues are consumed too."""
        return self._peer_queues.workers

    def pause(self) -> None:
        """Take no more commands (the database is unavailable); unsettled ones stay. Idempotent.

        Only those of attended queues go back, so that another worker gets them.
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
            own, shared = self._own, self._shared
            self._own, self._shared = self._subscribe_to(self._worker_id), self._subscribe_to(None)
            self._own_size = self._settings.prefetch
            self._apply()
            self._retire(own)
            self._retire(shared)
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
            settings = self._settings
            self._shared.resize(
                settings.attended_prefetch if wanted else settings.unassigned_prefetch
            )
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
            asyncio.create_task(self._watch(), name="broker:watch"),
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
        version = self._connection.broker_version
        if self._verifier is not None and version and version < _IGNORES_SENT_DEATHS:
            log.warning("broker.too_old_for_tenants", version=".".join(map(str, version)))

    async def stop_intake(self) -> None:
        """Stop taking commands for good and return when none can come any more. Idempotent.

        From here on what is settled as `REQUEUE` goes back together, in the order it had.
        """
        self._is_leaving = True
        self._settlements.hold_back()
        self._apply()
        for subscription in (self._shared, self._own):
            await subscription.applied(timeout_seconds=self._settings.request_timeout_seconds)
        await self._retired()

    async def idle(self) -> None:
        """Return when nothing is unsettled."""
        await self._idle.wait()

    async def _leave(self) -> None:
        self._is_leaving = True
        self._apply()
        undone = self.in_flight
        stopping = asyncio.gather(self._shared.stop(), self._own.stop(), self._retired())
        # A worker that has no time left does not wait for a broker that says nothing.
        patience = CANCELLED_LEAVE_SECONDS if is_cancelled() else None
        await asyncio.wait((stopping,), timeout=patience)
        self._counters.given_back += undone
        log.info("consumer.stopped", unfinished=undone)

    def _start(self) -> None:
        if self._is_running and not self._is_suspended:
            self._own.start()
            self._shared.start()

    def _subscribe_to(self, worker_id: str | None) -> Subscription:
        settings = self._settings
        if worker_id is None:
            queue, size = self._topology.unassigned, settings.unassigned_prefetch
        elif worker_id == self._worker_id:
            queue, size = self._topology.worker_queue(worker_id), settings.prefetch
        else:
            queue, size = self._topology.worker_queue(worker_id), settings.attended_prefetch
        return Subscription(
            queue=queue,
            origin=worker_id,
            # Where others wait in line, another consumer's turn would come with each change.
            prefetch=Prefetch(size=size, follows=worker_id == self._worker_id),
            connection=self._connection,
            intake=self._intake,
            declarer=self._declarer,
            route=self._route,
            settings=settings,
            counters=self._counters,
            # In the shared queue there is no order to keep; another's consumer is never replaced.
            is_alone=self._is_alone if worker_id == self._worker_id else lambda: True,
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
        takes = is_able and not (self._is_paused or self._is_suspended or self._is_leaving)
        self._peer_queues.apply(is_allowed=takes and self._is_running)
        for subscription, wanted in (
            (self._own, takes),
            (self._shared, takes and (self._has_room or self._takes_waiting)),
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
            grant=grant,
            excess=self._excess(message, grant),
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

    def _excess(self, message: AbstractIncomingMessage, grant: Grant) -> Excess | None:
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
        if message.redelivered or self._tracker.has_room_for(message, grant):
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

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._settings.watch_interval_seconds)
            try:
                await self._look()
            except Exception:  # the watch is for what goes wrong: it must not end of it
                log.exception("consumer.watch_failed")

    async def _keep_up(self) -> None:
        """Look after what is at the broker, now and then and whenever something seems wrong."""
        interval = self._settings.upkeep_interval_seconds
        pause = min(interval, UPKEEP_PAUSE_SECONDS)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await self._is_upkeep_due.wait()
            self._is_upkeep_due.clear()
            if not self._connection.is_up or self._intake.is_slow:
                await asyncio.sleep(pause)
                continue
            try:
                await self._upkeep.look(may_probe=self._own.is_active)
                await self._backlogs.look()
            except Exception:  # as above
                log.exception("consumer.upkeep_failed")
            await asyncio.sleep(pause)

    async def _look(self) -> None:
        """Ask the broker whether it has our consumer; act if it says no, or nothing, twice."""
        if not self._connection.is_up or not self._own.is_active or self._intake.is_slow:
            self._misses = 0
            return
        try:
            state = await self._declarer.inspect(self._own.queue)
        except (DependencyError, ConfigurationError) as error:
            log.warning("consumer.not_inspected", reason=error.detail)
            if self._is_second_miss():
                self._declarer.invalidate()
                self._connection.suspect(f"no answer on it: {error.detail}")
        else:
            # Nothing at all: what it says of a queue whose leader does not answer it, either.
            if state.consumers or not state.messages:
                self._misses = 0
            elif self._is_second_miss():
                await self._own.renew("the broker knows of no consumer")

    def _is_second_miss(self) -> bool:
        self._misses = (self._misses + 1) % MISSES_BEFORE_ACTION
        return self._misses == 0
