"""The sessions of this worker: taken up at the start, found for commands, given away, left."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import structlog

from gateway_contracts import SessionCreate, SessionState, StatusReason
from gateway_worker.errors import (
    CapacityError,
    DependencyError,
    GatewayError,
    SessionExistsError,
    SessionNotFoundError,
)
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.changes import DesiredState
from gateway_worker.sessions.ownership.directory import SessionDirectory
from gateway_worker.sessions.ownership.rebinding import Rebinder
from gateway_worker.sessions.ownership.stranded import stranded_change
from gateway_worker.sessions.peer_messages import PeerMessage, PeerMessageKind, PeerMessages
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.sessions.session.session import Session
from gateway_worker.sessions.session.transitions import is_running
from gateway_worker.sessions.surroundings import Surroundings

log = structlog.get_logger(__name__)

_ARRIVAL_SECONDS = 0.02
_ANNOUNCE_SECONDS = 5.0


class OwnedElsewhereError(Exception):
    """Another worker owns the session; `worker_id` says which."""

    def __init__(self, worker_id: str) -> None:
        super().__init__(f"the session is owned by {worker_id}")
        self.worker_id = worker_id


class SessionManager(SessionDirectory):
    """Holds the sessions that this worker owns. What commands ask for waits for the database.

    Args:
        around: What all sessions share.
        capacity: How many sessions this worker takes on.
        peer_messages: Tells other workers of sessions that go to them.

    Attributes:
        handed_over: How many sessions were given to other workers in good order.
    """

    def __init__(
        self,
        *,
        around: Surroundings,
        capacity: int,
        peer_messages: PeerMessages,
    ) -> None:
        super().__init__(worker_id=around.worker_id, capacity=capacity, sessions=around.sessions)
        self._around = around
        self._peer_messages = peer_messages
        self._on_left: Callable[[str], None] = lambda _session_id: None
        self._clear: Callable[[str, int | None], Awaitable[None]] | None = None
        self.handed_over = 0
        self._rebinder = Rebinder(
            worker_id=around.worker_id,
            bindings=around.bindings,
            peer_messages=peer_messages,
            pending=lambda session_id: self.pending_of(session_id)[1],
            is_ours=lambda session_id: self.held_session(session_id) is not None,
            lease_state=around.lease_state,
        )

    def when_left(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the id of each session that has gone to another worker."""
        self._on_left = listener

    def when_lost(self, clear: Callable[[str, int | None], Awaitable[None]]) -> None:
        """Call `clear` with a session that another worker has, once its host is gone.

        And with the epoch of its store, if that has been copied as it is.
        """
        self._clear = clear

    @property
    def is_portable(self) -> bool:
        """Whether another worker could have the device stores of this one's sessions."""
        return self._around.snapshots.are_portable

    async def place(self, wished: str | None = None) -> str | None:
        """Return another worker that has room, or None; the `wished` one or none at all."""
        if wished is not None:
            takes = await until_answered(
                lambda: self._around.sessions.takes(wished), name="sessions.takes"
            )
            return wished if takes else None
        return await until_answered(
            lambda: self._around.sessions.place(without=self.worker_id), name="sessions.place"
        )

    async def is_listening(self, worker_id: str) -> bool:
        """Whether a worker takes what comes for it. Raises `DependencyError`.

        The lease of one that has died may be good for some seconds more. A session that goes to it
        then is away until somebody takes it over.
        """
        return await self._around.bindings.is_listening(worker_id)

    # How sessions come.

    async def resume(self) -> int:
        """Take up the sessions that this worker owned in its last life; returns how many.

        One that cannot be taken up now, such as one whose row somebody keeps locked, comes later:
        the others must not wait for that.
        """
        rows = await until_answered(
            lambda: self._around.sessions.owned_by(self.worker_id), name="sessions.owned_by"
        )
        for row in rows:
            try:
                claimed = await self._around.sessions.claim(row.session_id, self.worker_id)
            except DependencyError as error:
                log.warning("session.not_resumed", session_id=row.session_id, reason=str(error))
                self._coming.add(row.session_id)
                self._around.background.post(
                    f"resume:{row.session_id}", partial(self._resume_later, row)
                )
            else:
                await self._resume(row, claimed)
        return len(self._sessions)

    async def _resume_later(self, row: SessionRow) -> None:
        with self._arriving(row.session_id):
            await self._resume(row, await self._claim(row.session_id))

    async def _resume(self, row: SessionRow, claimed: SessionRow | None) -> None:
        # Its higher epoch fences off whatever the last life may still have on its way.
        if claimed is not None:
            await self._adopt(claimed, StatusReason.WORKER_RESTARTED, local_epoch=row.epoch)

    async def create(self, command: SessionCreate) -> Session:
        """Create a session on this worker and start to link it.

        Raises:
            SessionExistsError: There is one already.
            CapacityError: This worker is full.
        """
        if command.subject in self._sessions:
            raise SessionExistsError(f"the session {command.subject} exists already")
        self._check_room()
        with self._arriving(command.subject):
            row = await self._insert(
                SessionRow(
                    session_id=command.subject,
                    state=SessionState.CREATED,
                    desired=DesiredState.RUNNING,
                    pairing=command.data.pairing,
                    device_name=command.data.device_name,
                    labels=command.data.labels,
                    worker_id=self.worker_id,
                    epoch=1,
                    created_at=self._around.clock.now(),
                    tenant_id=command.tenantid,
                )
            )
            if row is None:
                raise SessionExistsError(f"the session {command.subject} exists already")
            session = self._enter(row, local_epoch=None)
        await self._rebinder.take(row.session_id)
        session.announce_created()
        session.start(StatusReason.REQUESTED)
        return session

    async def find(self, session_id: str) -> Session:
        """Return a session, claiming it if nobody owns it.

        Raises:
            SessionNotFoundError: There is no such session.
            OwnedElsewhereError: Another worker has it.
            CapacityError: Nobody has it, and this worker is full.
        """
        await self._until_arrived(session_id)
        session = self.held_session(session_id)
        if session is not None:
            return session
        with self._arriving(session_id):
            return await self._fetch(session_id)

    async def _fetch(self, session_id: str) -> Session:
        row = await self._look_up(session_id)
        if row is None:
            raise SessionNotFoundError(f"there is no session {session_id}")
        if row.worker_id not in (None, self.worker_id):
            raise OwnedElsewhereError(row.worker_id or "another worker")
        self._check_room()
        claimed = await self._claim(session_id)
        if claimed is None:
            raise OwnedElsewhereError(row.worker_id or "another worker")
        await self._around.relay.adopt([session_id])
        return await self._adopt(claimed, StatusReason.WORKER_RESTARTED, local_epoch=row.epoch)

    async def adopt_given(self, session_id: str) -> None:
        """Begin with a session that its former owner has given to this worker."""
        await self._until_arrived(session_id)
        if self.is_held(session_id):
            return
        with self._arriving(session_id):
            row = await self._look_up(session_id)
            if row is not None and row.worker_id == self.worker_id:
                await self._around.relay.adopt([session_id])
                await self._adopt(row, StatusReason.HANDED_OVER, local_epoch=None)

    async def adopt_taken(self, rows: Sequence[SessionRow]) -> None:
        """Begin with sessions whose former owners are dead, or that nobody has told us of."""
        coming = [row for row in rows if not self.is_held(row.session_id)]
        with contextlib.ExitStack() as arriving:
            for row in coming:
                arriving.enter_context(self._arriving(row.session_id))
            await self._around.relay.adopt([row.session_id for row in coming])
            for row in coming:
                try:
                    self._begin(row, StatusReason.TAKEN_OVER, local_epoch=None)
                except Exception:  # taken up as a stray later; the others must not wait for that
                    log.exception("session.not_adopted", session_id=row.session_id)
                    continue
                # Nobody waits for the broker, or those that come next would have to.
                self._around.background.post(
                    f"route:{row.session_id}", partial(self._rebinder.take, row.session_id)
                )

    # Whose worker is gone, and whom nobody can run.

    @property
    def stranded_seconds(self) -> float:
        """How long after the end of its worker's lease a session nobody has taken is stranded."""
        return self._around.limits.stranded_seconds

    async def stranded(self, session_id: str, *, at_once: bool = False) -> SessionRow | None:
        """Return a session that nobody runs or will run, or None.

        Its events are told by this worker from then on, in order with those that are unpublished.

        Args:
            session_id: Which.
            at_once: Do not wait for somebody to take it over.
        """
        after = 0.0 if at_once else self._around.limits.stranded_seconds
        row = await until_answered(
            lambda: self._around.sessions.strand(session_id, self.worker_id, after_seconds=after),
            name="sessions.strand",
        )
        if row is not None:
            await self._around.relay.adopt([session_id])
        return row

    async def announce_stranded(self, row: SessionRow) -> None:
        """Tell that a session does not run, and make its state say so. Idempotent."""
        if row.desired is not DesiredState.RUNNING or not is_running(row.state):
            return
        current = await self.stranded(row.session_id)
        if current is None or current.epoch != row.epoch:
            return
        await self._around.recorder.record(
            stranded_change(
                current,
                SessionState.RECONNECTING,
                StatusReason.WORKER_LOST,
                source=self._around.source,
            )
        )

    async def destroy_stranded(self, row: SessionRow) -> None:
        """Remove every trace of a stranded session outside the database but its worker's disk.

        Raises:
            DependencyError: A trace could not be removed; the deletion has to be tried again.
        """
        if row.worker_id is not None:
            await self._around.bindings.unbind_from(row.session_id, row.worker_id)
        await self._around.snapshots.delete(row.session_id)
        await self._around.background.run(
            row.session_id, lambda: self._around.route_cache.remove(row.session_id)
        )

    # How they go.

    def fence(self, session_id: str, epoch: int | None) -> None:
        """Note that another worker turned out to own a session: its host is to stop.

        A session that has another epoch by now, or was created anew, is left alone.
        """
        session = self._sessions.get(session_id)
        if session is not None and session.epoch == epoch:
            session.fence()

    def lose(self, session: Session) -> None:
        """Let go of a session that another worker has taken; its host is stopping already."""
        if self._sessions.get(session.session_id) is not session:
            return
        self._forget(session.session_id)
        self._around.background.post(f"lost:{session.session_id}", lambda: self._clean_up(session))
        self._on_left(session.session_id)

    async def depart(self, session_id: str, to_worker: str) -> None:
        """Let go of a session that has been given to another worker, and tell that one."""
        session = self._sessions.get(session_id)
        if session is None:
            return
        self._forget(session_id)
        self.handed_over += 1
        log.info("session.handed_over", session_id=session_id, worker=to_worker)
        try:
            await self._announce(session_id, to_worker)
        except GatewayError as error:
            log.warning("session.not_announced", session_id=session_id, reason=str(error))
            self._around.background.post(
                f"announce:{session_id}", lambda: self._announce_later(session_id, to_worker)
            )
        self._around.background.post(f"left:{session_id}", lambda: self._clean_up(session))
        self._on_left(session_id)

    async def _announce(self, session_id: str, to_worker: str) -> None:
        body = PeerMessage(kind=PeerMessageKind.ADOPT, session_id=session_id).encode()
        await self._peer_messages.send_peer_message(
            PeerMessageKind.ADOPT, worker_id=to_worker, body=body
        )

    async def _announce_later(self, session_id: str, to_worker: str) -> None:
        """Tell the new owner as soon as the broker is back; after a while it has found out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANNOUNCE_SECONDS):
                await until_answered(
                    lambda: self._announce(session_id, to_worker), name="session.announce"
                )

    async def stay(self, session_id: str) -> None:
        """Go on with a session that was ready to leave."""
        session = self.held_session(session_id)
        if session is not None:
            session.resume()

    def forget(self, session: Session) -> None:
        """Drop a session that has been deleted."""
        self._forget(session.session_id)

    async def check_ownership(self) -> None:
        """Find out which sessions were taken while the lease was not held."""
        rows = await until_answered(
            lambda: self._around.sessions.owned_by(self.worker_id), name="sessions.owned_by"
        )
        ours = {row.session_id: row.epoch for row in rows}
        for session in self.sessions():
            if ours.get(session.session_id) != session.epoch:
                session.fence()

    async def turn_away(self, session_id: str) -> None:
        """Have another worker's session not be routed here any more; never raises."""
        await self._rebinder.turn_away(session_id)

    async def record_forwarded(
        self, session_id: str, events: Sequence[bytes], *, epoch: int
    ) -> bool:
        """Record messages that arrived at a former owner; False if the session was just lost.

        Args:
            session_id: Whose they are.
            events: What announces them.
            epoch: Of the session, as that owner knew it. Those of one that has been deleted are
                not its namesake's.
        """
        session = await self.find(session_id)
        if epoch < session.first_epoch:
            log.warning("session.late_of_former", session_id=session_id, events=len(events))
            return True
        return await session.record_forwarded(events)

    async def run(self, stop: asyncio.Event) -> None:
        """Hold the sessions until `stop` is set, then end their hosts, all at once."""
        await stop.wait()
        await self._rebinder.close()
        await self._shut_down(self._sessions.values())

    # Inside.

    @contextlib.contextmanager
    def _arriving(self, session_id: str) -> Iterator[None]:
        """Keep others from beginning with a session too, while this one does."""
        self._coming.add(session_id)
        try:
            yield
        finally:
            self._coming.discard(session_id)

    async def _until_arrived(self, session_id: str) -> None:
        while session_id in self._coming:  # noqa: ASYNC110 - a matter of milliseconds
            await asyncio.sleep(_ARRIVAL_SECONDS)

    def _check_room(self) -> None:
        if not self.has_room:
            raise CapacityError(f"this worker holds its {self._capacity} sessions already")

    async def _claim(self, session_id: str) -> SessionRow | None:
        return await until_answered(
            lambda: self._around.sessions.claim(session_id, self.worker_id), name="sessions.claim"
        )

    async def _insert(self, row: SessionRow) -> SessionRow | None:
        """Insert a session; None if the id is taken, unless by an attempt whose answer was lost."""
        created = await until_answered(
            lambda: self._around.sessions.create(row), name="sessions.create"
        )
        if created is None:
            found = await self._look_up(row.session_id)
            if found is not None and _is_same(found, row):
                return found
        return created

    async def _adopt(
        self, row: SessionRow, reason: StatusReason, *, local_epoch: int | None
    ) -> Session:
        """Begin with a session that is ours in the database, and route its commands here."""
        session = self._begin(row, reason, local_epoch=local_epoch)
        await self._rebinder.take(row.session_id)
        return session

    def _begin(self, row: SessionRow, reason: StatusReason, *, local_epoch: int | None) -> Session:
        """Have a session that is ours in the database connect.

        Args:
            row: The session.
            reason: Why it comes.
            local_epoch: The epoch under which this machine may have its device store; None if
                another worker had it since.
        """
        session = self._enter(row, local_epoch=local_epoch)
        if row.desired is DesiredState.RUNNING:
            session.start(reason)
        return session

    def _enter(self, row: SessionRow, *, local_epoch: int | None) -> Session:
        session = Session(row=row, around=self._around, local_epoch=local_epoch, on_lost=self.lose)
        self._sessions[row.session_id] = session
        self._tell_room()
        return session

    def _forget(self, session_id: str) -> None:
        if (session := self._sessions.pop(session_id, None)) is not None:
            session.leave()
        self._rebinder.release(session_id)
        self._tell_room()

    async def _clean_up(self, session: Session) -> None:
        """End what a session still has here that another worker owns by now."""
        await session.close()
        if self._clear is not None:
            await self._clear(session.session_id, session.epoch if session.is_quiesced else None)

    @staticmethod
    async def _shut_down(sessions: Iterable[Session]) -> None:
        async with asyncio.TaskGroup() as leaving:
            for session in sessions:
                leaving.create_task(session.shut_down(), name=f"leave:{session.session_id}")
        log.info("sessions.shut_down")


def _is_same(found: SessionRow, wanted: SessionRow) -> bool:
    """Whether a row is the one that was to be inserted; its epoch is the database's choice."""
    return replace(found, epoch=wanted.epoch, first_epoch=wanted.first_epoch) == wanted
