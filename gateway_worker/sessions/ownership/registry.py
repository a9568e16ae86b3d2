"""The sessions that a worker holds: found by their ids, counted, and bounded by its capacity."""

from collections import Counter
from collections.abc import Callable

from gateway_contracts import SessionState
from gateway_worker.sessions.ports import PendingMarker
from gateway_worker.sessions.session.session import Session
from gateway_worker.sessions.store.snapshot_schedule import StoreFiles


class SessionRegistry:
    """What is there; how sessions come and go is the manager's.

    Args:
        capacity: How many sessions there may be.
    """

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._takes_more = True
        self._room_watchers: list[Callable[[bool], None]] = []
        self._sessions: dict[str, Session] = {}
        self._coming: set[str] = set()

    @property
    def capacity(self) -> int:
        """How many sessions this worker may hold."""
        return self._capacity

    @property
    def has_room(self) -> bool:
        """Whether one more session fits."""
        return self._takes_more and len(self._sessions) < self._capacity

    def watch_room(self, watcher: Callable[[bool], None]) -> None:
        """Call `watcher` with whether one more session fits, now and whenever that may change."""
        self._room_watchers.append(watcher)
        watcher(self.has_room)

    def take_no_more(self) -> None:
        """Take on no more sessions: the worker drains."""
        self._takes_more = False
        self._tell_room()

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

    def host_pids(self) -> list[int]:
        """Return the process ids of all running hosts."""
        pids = (session.host_pid for session in self._sessions.values())
        return [pid for pid in pids if pid is not None]

    def is_held(self, session_id: str) -> bool:
        """Whether a session is here, or is just being made."""
        return session_id in self._sessions or session_id in self._coming

    def held_session(self, session_id: str) -> Session | None:
        """Return a session of this worker, or None."""
        session = self._sessions.get(session_id)
        return None if session is None or session.fenced else session

    def is_running(self, session_id: str) -> bool:
        """Whether a session of this worker is connected or about to be."""
        session = self.held_session(session_id)
        return session is not None and session.is_running

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

    def pending_of(self, session_id: str) -> tuple[int, tuple[PendingMarker, ...]]:
        """Return the epoch of a session of this worker and the markers that it waits for."""
        session = self.held_session(session_id)
        return (0, ()) if session is None else (session.epoch, session.pending)

    def _tell_room(self) -> None:
        for watcher in self._room_watchers:
            watcher(self.has_room)
