"""The sessions of this worker: taken up at the start, found for commands, ended with it."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog

from gateway_contracts import SessionCreate, SessionSettings, SessionState, StatusReason
from gateway_worker.errors import DependencyError, SessionExistsError, SessionNotFoundError
from gateway_worker.runtime.background import Background
from gateway_worker.runtime.clock import Clock
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.changes import DesiredState
from gateway_worker.sessions.found_sends import decode_found
from gateway_worker.sessions.ownership.departures import Departures
from gateway_worker.sessions.ownership.directory import SessionDirectory
from gateway_worker.sessions.ownership.rebinding import Rebinder
from gateway_worker.sessions.ownership.registry import SessionRegistry
from gateway_worker.sessions.ownership.stranded import StrandedSessions
from gateway_worker.sessions.ports import EventRelay, SessionRow, SessionStore
from gateway_worker.sessions.proxies import Proxies
from gateway_worker.sessions.session.factory import SessionFactory
from gateway_worker.sessions.session.session import Session

log = structlog.get_logger(__name__)


class OwnedElsewhereError(Exception):
    """Another worker owns the session; `worker_id` says which."""

    def __init__(self, worker_id: str) -> None:
        super().__init__(f"the session is owned by {worker_id}")
        self.worker_id = worker_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What knows and changes which sessions are this worker's.

    Attributes:
        registry: The sessions that are here.
        directory: Whose the others are.
        departures: How sessions leave.
        stranded: Those that nobody can run.
        rebinder: Routes their commands here.
    """

    registry: SessionRegistry
    directory: SessionDirectory
    departures: Departures
    stranded: StrandedSessions
    rebinder: Rebinder


class SessionManager:
    """The sessions that this worker owns. Whatever asks the database waits until it answers.

    Args:
        ownership: Which sessions are this worker's; its parts are attributes here too.
        factory: Makes sessions.
        sessions: The sessions table.
        relay: Publishes what their former owners have left.
        background: What nobody waits for.
        clock: The time.
        proxies: Keeps the credentials of sessions' proxies.
    """

    def __init__(
        self,
        *,
        ownership: Ownership,
        factory: SessionFactory,
        sessions: SessionStore,
        relay: EventRelay,
        background: Background,
        clock: Clock,
        proxies: Proxies,
    ) -> None:
        self.registry = ownership.registry
        self.directory = ownership.directory
        self.departures = ownership.departures
        self.stranded = ownership.stranded
        self.rebinder = ownership.rebinder
        self._worker_id = ownership.directory.worker_id
        self._factory = factory
        self._sessions = sessions
        self._relay = relay
        self._background = background
        self._clock = clock
        self.proxies = proxies

    # What commands ask for.

    async def create(self, command: SessionCreate) -> Session:
        """Create a session on this worker and start to link it.

        Raises:
            SessionExistsError: There is one already.
            CapacityError: This worker is full.
        """
        if self.registry.find(command.subject) is not None:
            raise SessionExistsError(f"the session {command.subject} exists already")
        self.registry.check_room()
        with self.registry.arriving(command.subject):
            settings = await self.proxies.accepted(
                command.subject, SessionSettings().changed(command.data)
            )
            row = await self._insert(
                SessionRow(
                    session_id=command.subject,
                    state=SessionState.CREATED,
                    desired=DesiredState.RUNNING,
                    pairing=command.data.pairing,
                    device_name=command.data.device_name,
                    labels=command.data.labels,
                    metadata=command.data.metadata,
                    settings=settings,
                    worker_id=self._worker_id,
                    epoch=1,
                    created_at=self._clock.now(),
                    tenant_id=command.tenantid,
                )
            )
            if row is None:
                raise SessionExistsError(f"the session {command.subject} exists already")
            session = self._enter(row, local_epoch=None)
        await self.rebinder.take(row.session_id)
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
        await self.registry.until_arrived(session_id)
        session = self.registry.held_session(session_id)
        if session is not None:
            return session
        with self.registry.arriving(session_id):
            return await self._fetch(session_id)

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

    async def record_found(self, session_id: str, sends: Sequence[bytes], *, epoch: int) -> bool:
        """Record what became of sends of a former owner; False if the session was just lost.

        Raises:
            ValueError: Something is not what one worker tells another.
        """
        session = await self.find(session_id)
        if epoch < session.first_epoch:
            return True
        return await session.earlier_sends.record_found([decode_found(send) for send in sends])

    # What comes from elsewhere.

    async def resume(self) -> int:
        """Take up the sessions that this worker owned in its last life; returns how many.

        One that cannot be taken up now, such as one whose row somebody keeps locked, comes later:
        the others must not wait for that.
        """
        for row in await self._owned():
            try:
                claimed = await self._sessions.claim(row.session_id, self._worker_id)
            except DependencyError as error:
                log.warning("session.not_resumed", session_id=row.session_id, reason=str(error))
                self.registry.expect(row.session_id)
                self._background.post(f"resume:{row.session_id}", partial(self._resume_later, row))
            else:
                await self._resume(row, claimed)
        return len(self.registry.session_ids())

    async def adopt_given(self, session_id: str) -> None:
        """Begin with a session that its former owner has given to this worker."""
        await self.registry.until_arrived(session_id)
        if self.registry.is_held(session_id):
            return
        with self.registry.arriving(session_id):
            row = await self.directory.look_up(session_id)
            if row is not None and row.worker_id == self._worker_id:
                await self._relay.adopt([session_id])
                await self._adopt(row, StatusReason.HANDED_OVER, local_epoch=None)

    async def adopt_taken(self, rows: Sequence[SessionRow]) -> None:
        """Begin with sessions whose former owners are dead, or that nobody has announced here."""
        coming = [row for row in rows if not self.registry.is_held(row.session_id)]
        with contextlib.ExitStack() as arriving:
            for row in coming:
                arriving.enter_context(self.registry.arriving(row.session_id))
            await self._relay.adopt([row.session_id for row in coming])
            for row in coming:
                try:
                    self._begin(row, _why_taken(row), local_epoch=None)
                except Exception:  # taken up as a stray later; the others must not wait for that
                    log.exception("session.not_adopted", session_id=row.session_id)
                    continue
                # Nobody waits for the broker, or those that come next would have to.
                self._background.post(
                    f"route:{row.session_id}", partial(self.rebinder.take, row.session_id)
                )

    async def check_ownership(self) -> None:
        """Find out which sessions were taken while the lease was not held."""
        ours = {row.session_id: row.epoch for row in await self._owned()}
        for session in self.registry.sessions():
            if ours.get(session.session_id) != session.epoch:
                session.fence()

    async def run(self, stop: asyncio.Event) -> None:
        """Hold the sessions until `stop` is set, then end their hosts, all at once."""
        await stop.wait()
        await self.rebinder.close()
        async with asyncio.TaskGroup() as leaving:
            for session in self.registry.sessions():
                leaving.create_task(session.shut_down(), name=f"leave:{session.session_id}")
        log.info("sessions.shut_down")

    # What the failover service asks for.

    @property
    def has_room(self) -> bool:
        """Whether one more session fits."""
        return self.registry.has_room

    @property
    def is_portable(self) -> bool:
        """Whether the device stores of other workers' sessions can be had here."""
        return self.directory.is_portable

    @property
    def stranded_seconds(self) -> float:
        """How long after the end of its worker's lease a session nobody has taken is stranded."""
        return self.stranded.after_seconds

    def is_held(self, session_id: str) -> bool:
        """Whether a session is here, or is just being made."""
        return self.registry.is_held(session_id)

    async def announce_stranded(self, row: SessionRow) -> None:
        """Announce that a session does not run, and make its state say so. Idempotent."""
        await self.stranded.announce(row)

    # Inside.

    async def _owned(self) -> Sequence[SessionRow]:
        return await until_answered(
            lambda: self._sessions.owned_by(self._worker_id), name="sessions.owned_by"
        )

    async def _resume_later(self, row: SessionRow) -> None:
        with self.registry.arriving(row.session_id):
            await self._resume(row, await self._claim(row.session_id))

    async def _resume(self, row: SessionRow, claimed: SessionRow | None) -> None:
        # Its higher epoch fences off whatever the last life may still have on its way.
        if claimed is not None:
            await self._adopt(claimed, StatusReason.WORKER_RESTARTED, local_epoch=row.epoch)

    async def _fetch(self, session_id: str) -> Session:
        row = await self.directory.look_up(session_id)
        if row is None:
            raise SessionNotFoundError(f"there is no session {session_id}")
        if row.worker_id not in (None, self._worker_id):
            raise OwnedElsewhereError(row.worker_id or "another worker")
        self.registry.check_room()
        claimed = await self._claim(session_id)
        if claimed is None:
            raise OwnedElsewhereError(row.worker_id or "another worker")
        await self._relay.adopt([session_id])
        return await self._adopt(claimed, StatusReason.WORKER_RESTARTED, local_epoch=row.epoch)

    async def _claim(self, session_id: str) -> SessionRow | None:
        return await until_answered(
            lambda: self._sessions.claim(session_id, self._worker_id), name="sessions.claim"
        )

    async def _insert(self, row: SessionRow) -> SessionRow | None:
        """Insert a session; None if the id is taken, unless by an attempt whose answer was lost."""
        created = await until_answered(lambda: self._sessions.create(row), name="sessions.create")
        if created is None:
            found = await self.directory.look_up(row.session_id)
            if found is not None and _is_same(found, row):
                return found
        return created

    async def _adopt(
        self, row: SessionRow, reason: StatusReason, *, local_epoch: int | None
    ) -> Session:
        """Begin with a session that is ours in the database, and route its commands here."""
        session = self._begin(row, reason, local_epoch=local_epoch)
        await self.rebinder.take(row.session_id)
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
        session = self._factory.build(row, local_epoch=local_epoch, on_lost=self.departures.lose)
        self.registry.add(session)
        return session


def _why_taken(row: SessionRow) -> StatusReason:
    """Why it is here; one that was handed over may be found before its announcement has come."""
    return StatusReason.HANDED_OVER if row.was_given else StatusReason.TAKEN_OVER


def _is_same(found: SessionRow, wanted: SessionRow) -> bool:
    """Whether a row is the one that was to be inserted; its epoch is the database's choice."""
    return replace(found, epoch=wanted.epoch, first_epoch=wanted.first_epoch) == wanted
