"""The sessions that a worker holds: found by their ids, counted, and bounded by its capacity."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

from gateway_contracts import SessionSettings, SessionState
from gateway_worker.errors import CapacityError
from gateway_worker.sessions.ports import PendingMarker
from gateway_worker.sessions.session.session import Session
from gateway_worker.sessions.store.snapshot_schedule import StoreFiles

_ARRIVAL_SECONDS = 0.02


class SessionRegistry:
    """The sessions that are here. `SessionManager` begins with them, `Departures` lets go of them.

    Args:
        capacity: How many sessions there may be.
    """

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._takes_more = True
        self._room_watchers: list[Callable[[bool], None]] = []
        self._sessions: dict[str, Session] = {}
        self._arriving: set[str] = set()

    # Room.

    @property
    def capacity(self) -> int:
        """How many sessions this worker may hold."""
        return self._capacity

    @property
    def has_room(self) -> bool:
        """Whether one more session fits."""
        return self._takes_more and len(self._sessions) < self._capacity

    def check_room(self) -> None:
        """Raise `CapacityError` unless one more session fits."""
        if not self.has_room:
            raise CapacityError(f"this worker holds its {self._capacity} sessions already")

    def watch_room(self, watcher: Callable[[bool], None]) -> None:
        """Call `watcher` with whether one more session fits, now and whenever that may change."""
        self._room_watchers.append(watcher)
        watcher(self.has_room)

    def take_no_more(self) -> None:
        """Take on no more sessions: the worker drains."""
        self._takes_more = False
        self._tell_room()

    # All of them.

    def states(self) -> dict[SessionState, int]:
        """Return how many sessions are in each state."""
        return dict(Counter(session.state for session in self._sessions.values()))

    def session_ids(self) -> tuple[str, ...]:
        """Return the ids of the sessions that this worker holds."""
        return tuple(self._sessions)

    def sessions(self) -> tuple[Session, ...]:
        """Return the sessions that this worker holds."""
        return tuple(self._sessions.values())

    def store_files(self) -> list[StoreFiles]:
        """Return where the device stores of the linked sessions that run here are."""
        return [
            session.store_files
            for session in self._sessions.values()
            if session.is_linked and session.is_running and not session.is_leaving
        ]

    # One of them.

    def is_held(self, session_id: str) -> bool:
        """Whether a session is here, or is just being made."""
        return session_id in self._sessions or session_id in self._arriving

    def held_session(self, session_id: str) -> Session | None:
        """Return a session of this worker, or None."""
        session = self._sessions.get(session_id)
        return None if session is None or session.fenced else session

    def is_connecting(self, session_id: str) -> bool:
        """Whether a session of this worker is linked, and is or will soon be connected."""
        session = self.held_session(session_id)
        return session is not None and session.is_connecting

    def seconds_to_connect(self, session_id: str, arrived: float) -> float:
        """Return how long a command may still wait for a session to connect; see `Session`."""
        session = self.held_session(session_id)
        return 0.0 if session is None else session.seconds_to_connect(arrived)

    def epoch_of(self, session_id: str) -> int | None:
        """Return the epoch of a session of this worker, or None."""
        session = self.held_session(session_id)
        return None if session is None else session.epoch

    def settings_of(self, session_id: str) -> SessionSettings | None:
        """Return what a session of this worker is set to; None if it is not here."""
        session = self.held_session(session_id)
        return None if session is None else session.settings

    def pending_of(self, session_id: str) -> tuple[int, tuple[PendingMarker, ...]]:
        """Return the epoch of a session of this worker and the markers that it waits for."""
        session = self.held_session(session_id)
        return (0, ()) if session is None else (session.epoch, session.pending)

    def fence(self, session_id: str, epoch: int | None) -> None:
        """Note that another worker turned out to own a session: its host is to stop.

        A session that has another epoch by now, or was created anew, is left alone.
        """
        session = self._sessions.get(session_id)
        if session is not None and session.epoch == epoch:
            session.fence()

    # How they change.

    def find(self, session_id: str) -> Session | None:
        """Return a session that is here, even if another worker owns it by now."""
        return self._sessions.get(session_id)

    def add(self, session: Session) -> None:
        """Enter a session; one of the same id is replaced."""
        self._sessions[session.session_id] = session
        self._tell_room()

    def remove(self, session_id: str) -> None:
        """Take a session out, if it is here; whoever waits for it is notified."""
        if (session := self._sessions.pop(session_id, None)) is not None:
            session.leave()
        self._tell_room()

    @contextlib.contextmanager
    def arriving(self, session_id: str) -> Iterator[None]:
        """Keep others from beginning with a session too, while this one does."""
        self._arriving.add(session_id)
        try:
            yield
        finally:
            self._arriving.discard(session_id)

    def expect(self, session_id: str) -> None:
        """Note that a session will arrive; `arriving` ends that."""
        self._arriving.add(session_id)

    async def until_arrived(self, session_id: str) -> None:
        """Return when nobody is beginning with a session."""
        while session_id in self._arriving:  # noqa: ASYNC110 - a matter of milliseconds
            await asyncio.sleep(_ARRIVAL_SECONDS)

    def _tell_room(self) -> None:
        for watcher in self._room_watchers:
            watcher(self.has_room)
