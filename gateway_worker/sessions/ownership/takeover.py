"""Takes up what dead workers have left: their sessions, their events, their queues (a service)."""

import asyncio
import contextlib
import time
from collections.abc import Sequence

import structlog

from gateway_worker.errors import GatewayError
from gateway_worker.sessions.lease_state import LeaseState
from gateway_worker.sessions.ownership.lease import BEATS_PER_LEASE
from gateway_worker.sessions.ownership.ports import DeadWorkers, Intake, SessionsHere
from gateway_worker.sessions.ports import EventRelay, SessionRow, SessionStore

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 1.0
_SMALLEST_SHARE = 4
_FORGET_SECONDS = 3600.0
_STRANDED_LIMIT = 10_000
_NAMED = 20


class FailoverService:
    """Looks after the sessions that nobody runs.

    At the first look it takes its fair share, so that all workers together take everything at once.
    What the others have left by the next look, because they cannot, is taken by halves. It keeps
    still for a while after this worker's own lease began: the others may only have been cut off
    from the database as it was, and come back with it.

    Args:
        worker_id: This worker.
        lease_state: Its lease.
        settle_seconds: For how long the lease must have been held.
        workers: The workers table.
        sessions: The sessions table.
        intake: Consumes dead workers' queues.
        relay: Publishes dead workers' events.
        here: The sessions of this worker.

    Attributes:
        taken: How many sessions were taken over.
        stranded: How many sessions of the fleet nobody can run.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        lease_state: LeaseState,
        settle_seconds: float,
        workers: DeadWorkers,
        sessions: SessionStore,
        intake: Intake,
        relay: EventRelay,
        here: SessionsHere,
    ) -> None:
        self._worker_id = worker_id
        self._lease_state = lease_state
        self._settle_seconds = settle_seconds
        self._workers = workers
        self._sessions = sessions
        self._intake = intake
        self._here = here
        self._relay = relay
        self._strays_due = self._forgetting_due = time.monotonic()
        self._forgetting: asyncio.Task[None] | None = None
        self._has_left_some = False
        self._stranded_due = time.monotonic()
        self._told: set[tuple[str, int]] = set()
        self.taken = 0
        self.stranded = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop` is set."""
        while not stop.is_set():
            try:
                if self._lease_state.is_held:
                    await self._look()
            except GatewayError as error:
                log.warning("takeover.look_failed", reason=str(error))
            except Exception:  # the root of the service: the next look may go better
                log.exception("takeover.failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await stop.wait()
        if self._forgetting is not None:
            self._forgetting.cancel()
            await asyncio.wait((self._forgetting,))
        for worker_id in tuple(self._intake.attended):
            await self._intake.dismiss(worker_id)

    async def _look(self) -> None:
        await self._attend()
        await self._take_up_strays()
        if self._lease_state.held_seconds >= self._settle_seconds:
            await self._take_over()
            await self._relay.adopt_strays()
            self._forget_old()
            await self._look_for_stranded()

    async def _take_over(self) -> None:
        orphans = await self._sessions.orphans()
        taken = 0
        if orphans and self._here.has_room:
            taken = await self._take(await self._share(orphans))
        self._has_left_some = taken < orphans

    async def _share(self, orphans: int) -> int:
        share = await self._sessions.fair_share(self._worker_id)
        return max(share, _SMALLEST_SHARE, orphans // 2) if self._has_left_some else share

    async def _take(self, limit: int) -> int:
        rows: Sequence[SessionRow] = ()
        if limit:
            # What has no account has no device store either, that would have to be had here.
            rows = await self._sessions.take_over(
                self._worker_id, limit=limit, linked=self._here.is_portable
            )
        if rows:
            log.warning("takeover.sessions_taken", sessions=len(rows))
            self.taken += len(rows)
            await self._here.adopt_taken(rows)
        return len(rows)

    async def _take_up_strays(self) -> None:
        """Begin with sessions that are ours by the table, but that nobody has announced here.

        Once a beat: they are rare, and finding them takes a look at all of ours.
        """
        if time.monotonic() < self._strays_due:
            return
        rows = await self._sessions.owned_by(self._worker_id)
        strays = [row for row in rows if not self._here.is_held(row.session_id)]
        if strays:
            log.warning("takeover.strays_found", sessions=len(strays))
            await self._here.adopt_taken(strays)
        self._strays_due = time.monotonic() + self._workers.lease_seconds / BEATS_PER_LEASE

    async def _look_for_stranded(self) -> None:
        """Name the sessions that nobody can run, as often as the strays are looked for."""
        if time.monotonic() < self._stranded_due:
            return
        self._stranded_due = time.monotonic() + self._workers.lease_seconds / BEATS_PER_LEASE
        rows = await self._sessions.stranded(
            after_seconds=self._here.stranded_seconds, limit=_STRANDED_LIMIT
        )
        self.stranded = len(rows)
        new = [row for row in rows if (row.session_id, row.epoch) not in self._told]
        if new:
            log.error(
                "takeover.sessions_stranded",
                sessions=len(rows),
                new=[row.session_id for row in new[:_NAMED]],
                workers=sorted({row.worker_id or "" for row in new})[:_NAMED],
            )
            if await self._sessions.is_first(self._worker_id):
                for row in new:
                    await self._here.announce_stranded(row)
        elif self._told and not rows:
            log.info("takeover.none_stranded")
        self._told = {(row.session_id, row.epoch) for row in rows}

    def _forget_old(self) -> None:
        """Begin to forget old workers, now and then; beside the looks, for it takes the broker."""
        is_busy = self._forgetting is not None and not self._forgetting.done()
        if time.monotonic() < self._forgetting_due or is_busy:
            return
        self._forgetting_due = time.monotonic() + _FORGET_SECONDS
        self._forgetting = asyncio.create_task(self._forget(), name="takeover:forget")

    async def _forget(self) -> None:
        """Keep those workers only that matter, whatever names they come under: rows and queues.

        One worker does it: two would take from each other what is still in a queue.
        """
        forgotten = []
        try:
            if not await self._sessions.is_first(self._worker_id):
                return
            for worker_id in await self._workers.long_gone():
                # The queue first: nobody would know its name afterwards.
                if await self._intake.remove_queue(worker_id):
                    forgotten += [worker_id] if await self._workers.forget(worker_id) else []
        except GatewayError as error:
            log.warning("takeover.not_forgotten", reason=str(error))
        except Exception:  # the root of the task: the next time may go better
            log.exception("takeover.forgetting_failed")
        if forgotten:
            log.info("takeover.workers_forgotten", workers=forgotten)

    async def _attend(self) -> None:
        """Consume the queues of the dead, until they come back."""
        dead = set(await self._workers.dead_with_leftovers()) - {self._worker_id}
        attended = set(self._intake.attended)
        # At once, while they are known to be dead: nobody may come in line behind one that is back.
        for worker_id in dead - attended:
            log.info("takeover.queue_attended", worker=worker_id)
            self._intake.attend(worker_id)
        for worker_id in attended - dead:
            log.info("takeover.queue_dismissed", worker=worker_id)
            await self._intake.dismiss(worker_id)
