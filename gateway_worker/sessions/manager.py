"""The sessions of this worker: taken up at the start, found for commands, left at the end."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

import structlog

from gateway_contracts import SessionCreate, SessionState, StatusReason
from gateway_worker.errors import (
    CapacityError,
    SessionExistsError,
    SessionNotFoundError,
)
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.changes import DesiredState
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.sessions.session import Session
from gateway_worker.sessions.surroundings import Surroundings

log = structlog.get_logger(__name__)


class OwnedElsewhereError(Exception):
    """Another worker owns the session; `worker_id` says which."""

    def __init__(self, worker_id: str) -> None:
        super().__init__(f"the session is owned by {worker_id}")
        self.worker_id = worker_id


class SessionManager:
    """Holds the sessions that this worker owns. What commands ask for waits for the database.

    Args:
        around: What all sessions share.
        capacity: How many sessions this worker takes on.
    """

    def __init__(self, *, around: Surroundings, capacity: int) -> None:
        self._around = around
        self._capacity = capacity
        self._room_watchers: list[Callable[[bool], None]] = []
        self._sessions: dict[str, Session] = {}

    @property
    def capacity(self) -> int:
        """How many sessions this worker may hold."""
        return self._capacity

    @property
    def has_room(self) -> bool:
        """Whether one more session fits."""
        return len(self._sessions) < self._capacity

    def watch_room(self, watcher: Callable[[bool], None]) -> None:
        """Call `watcher` with whether one more session fits, now and whenever that may change."""
        self._room_watchers.append(watcher)
        watcher(self.has_room)

    def states(self) -> dict[SessionState, int]:
        """Return how many sessions are in each state."""
        return dict(Counter(session.state for session in self._sessions.values()))

    def host_pids(self) -> list[int]:
        """Return the process ids of all running hosts."""
        pids = (session.host_pid for session in self._sessions.values())
        return [pid for pid in pids if pid is not None]

    async def resume(self) -> int:
        """Take up the sessions that this worker owned in its last life; returns how many."""
        rows = await self._around.sessions.owned_by(self._around.worker_id)
        for row in rows:
            # A higher epoch fences off whatever the last life may still have on its way.
            claimed = await self._around.sessions.claim(row.session_id, self._around.worker_id)
            if claimed is None:
                continue
            session = await self._adopt(claimed)
            if claimed.desired is DesiredState.RUNNING:
                session.start(StatusReason.WORKER_RESTARTED)
        return len(self._sessions)

    async def create(self, command: SessionCreate) -> Session:
        """Create a session on this worker and start to link it.

        Raises:
            SessionExistsError: There is one already.
            CapacityError: This worker is full.
        """
        if command.subject in self._sessions:
            raise SessionExistsError(f"the session {command.subject} exists already")
        if not self.has_room:
            raise CapacityError(f"this worker holds its {self._capacity} sessions already")
        row = await self._insert(
            SessionRow(
                session_id=command.subject,
                state=SessionState.CREATED,
                desired=DesiredState.RUNNING,
                pairing=command.data.pairing,
                device_name=command.data.device_name,
                labels=command.data.labels,
                worker_id=self._around.worker_id,
                epoch=1,
                created_at=self._around.clock.now(),
                tenant_id=command.tenantid,
            )
        )
        if row is None:
            raise SessionExistsError(f"the session {command.subject} exists already")
        session = await self._adopt(row)
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
        session = self._sessions.get(session_id)
        if session is not None and not session.fenced:
            return session
        if session is not None:
            self.forget(session)
        row = await self._look_up(session_id)
        if row is None:
            raise SessionNotFoundError(f"there is no session {session_id}")
        if not self.has_room:
            raise CapacityError(f"this worker holds its {self._capacity} sessions already")
        claimed = await until_answered(
            lambda: self._around.sessions.claim(session_id, self._around.worker_id),
            name="sessions.claim",
        )
        if claimed is None:
            raise OwnedElsewhereError(row.worker_id or "another worker")
        session = await self._adopt(claimed)
        if claimed.desired is DesiredState.RUNNING:
            session.start(StatusReason.WORKER_RESTARTED)
        return session

    async def elsewhere(self, session_id: str) -> str | None:
        """Return the other worker that owns a session; None if it is ours, free or unknown."""
        session = self._sessions.get(session_id)
        if session is not None and not session.fenced:
            return None
        row = await self._look_up(session_id)
        owner = row.worker_id if row is not None else None
        return None if owner == self._around.worker_id else owner

    def epoch_of(self, session_id: str) -> int | None:
        """Return the epoch of a session of this worker, or None."""
        session = self._sessions.get(session_id)
        return None if session is None or session.fenced else session.epoch

    def fence(self, session_id: str) -> None:
        """Note that another worker turned out to own a session: its host is to stop."""
        if (session := self._sessions.get(session_id)) is not None:
            session.fence()

    def forget(self, session: Session) -> None:
        """Drop a session that has been deleted."""
        self._sessions.pop(session.session_id, None)
        self._tell_room()

    async def run(self, stop: asyncio.Event) -> None:
        """Hold the sessions until `stop` is set, then end their hosts, all at once."""
        await stop.wait()
        await self._shut_down(self._sessions.values())

    async def _insert(self, row: SessionRow) -> SessionRow | None:
        """Insert a session; None if the id is taken, unless by an attempt whose answer was lost."""
        created = await until_answered(
            lambda: self._around.sessions.create(row), name="sessions.create"
        )
        if created is None and await self._look_up(row.session_id) == row:
            return row
        return created

    async def _look_up(self, session_id: str) -> SessionRow | None:
        return await until_answered(
            lambda: self._around.sessions.get(session_id), name="sessions.get"
        )

    async def _adopt(self, row: SessionRow) -> Session:
        session = Session(row=row, around=self._around)
        self._sessions[row.session_id] = session
        self._tell_room()
        await self._around.routes.bind(row.session_id)
        return session

    def _tell_room(self) -> None:
        for watcher in self._room_watchers:
            watcher(self.has_room)

    @staticmethod
    async def _shut_down(sessions: Iterable[Session]) -> None:
        async with asyncio.TaskGroup() as leaving:
            for session in sessions:
                leaving.create_task(session.shut_down(), name=f"leave:{session.session_id}")
        log.info("sessions.shut_down")
