"""When device stores are copied: soon after they changed, but neither too often nor all at once.

The library writes to its store with every message, and nothing of ours hears of it. So the files
are looked at from outside, at an interval: a copy is due once a store has been quiet for a moment,
or, if it never is, a while after the first change. A store of copies that is unavailable makes the
next copy later, never a session slower.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway_worker.errors import DependencyError, GatewayError
from gateway_worker.host_protocol.layout import DEVICE_STORE_NAME
from gateway_worker.runtime.clock import Clock, SystemClock
from gateway_worker.runtime.retry import Backoff
from gateway_worker.sessions.ports import DeviceSnapshots
from gateway_worker.sessions.store.store_files import has_device_store

log = structlog.get_logger(__name__)

_WRITTEN = (DEVICE_STORE_NAME, f"{DEVICE_STORE_NAME}-wal")
Look = tuple[tuple[int, int] | None, ...]
"""Time of the last change and size of each file that the library writes; None if it is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFiles:
    """A linked session that runs here: where its files are, and under which epoch."""

    session_id: str
    directory: Path
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTiming:
    """When copies are made.

    Attributes:
        quiet_seconds: So long a store must not have changed.
        maximum_seconds: So long after the first change it is copied although it still changes.
        check_seconds: How often the files are looked at.
        at_once: Copies that are made at the same time, at most; those of `now` do not count.
        retry_maximum_seconds: The longest pause after a copy that failed.
        now_seconds: How long `now` may take.
    """

    quiet_seconds: float = 5.0
    maximum_seconds: float = 30.0
    check_seconds: float = 1.0
    at_once: int = 2
    retry_maximum_seconds: float = 60.0
    now_seconds: float = 10.0


@dataclass(slots=True, kw_only=True)
class _Watched:
    """One session: how its files looked, and since when a copy of them is missing."""

    files: StoreFiles
    backoff: Backoff
    not_before: float
    look: Look = ()
    changed_at: float = 0.0
    missing_since: float | None = None
    saving: bool = False


class SnapshotSchedule:
    """Copies the stores of the sessions that run here; a service.

    Args:
        snapshots: Makes the copies.
        running: Returns the linked sessions that run here now. A session that is being deleted or
            handed over must not be among them any more.
        timing: When.
        clock: Measures it.
        uniform: Draws a number between two others; replaced in tests.
    """

    def __init__(
        self,
        *,
        snapshots: DeviceSnapshots,
        running: Callable[[], Iterable[StoreFiles]],
        timing: SnapshotTiming | None = None,
        clock: Clock | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._snapshots = snapshots
        self._sessions = running
        self._timing = timing or SnapshotTiming()
        self._clock = clock or SystemClock()
        self._uniform = uniform
        self._watched: dict[str, _Watched] = {}
        # Of all sessions together: one that is unavailable is not asked for each of them
        self._outage = self._new_backoff()
        self._unavailable_until = 0.0
        self._slots = asyncio.Semaphore(self._timing.at_once)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def behind_seconds(self) -> float:
        """How long ago the oldest change was seen that no copy has yet; 0 if there is none."""
        now = self._clock.monotonic()
        missing = (w.missing_since for w in self._watched.values() if w.missing_since is not None)
        return max((now - since for since in missing), default=0.0)

    async def now(self, session_id: str, directory: Path, *, epoch: int) -> bool:
        """Copy a session's files at once, running or not, in bounded time.

        Returns:
            Whether there is a copy of what they are now; the failure is logged, never raised.
        """
        if not await asyncio.to_thread(has_device_store, directory):
            return False
        watched = self._watched.get(session_id)
        look = await asyncio.to_thread(_look_at, directory)
        try:
            async with asyncio.timeout(self._timing.now_seconds):
                stored = await self._snapshots.save(session_id, directory, epoch=epoch)
        except (GatewayError, TimeoutError) as error:
            log.warning("snapshot.failed", session_id=session_id, reason=str(error) or "timeout")
            return False
        if not stored:
            return False
        if watched is not None:
            watched.look, watched.missing_since = look, None
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Look at the files until `stop` is set; copies that are under way are then given up."""
        try:
            while not stop.is_set():
                await self.look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._timing.check_seconds):
                        await stop.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def look(self) -> None:
        """Look at the files once and begin the copies that are due."""
        sessions = {files.session_id: files for files in self._sessions()}
        looks = await asyncio.to_thread(_look_at_all, sessions)
        self._watched = {
            session_id: self._watch(files, looks[session_id])
            for session_id, files in sessions.items()
        }
        for watched in self._watched.values():
            if self._due(watched):
                watched.saving = True
                task = asyncio.create_task(self._copy(watched))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _watch(self, files: StoreFiles, look: Look) -> _Watched:
        now = self._clock.monotonic()
        watched = self._watched.get(files.session_id)
        if watched is None or watched.files != files:
            # Whether there is a copy is not known. A worker that starts has many of these.
            spread = self._uniform(0.0, self._timing.maximum_seconds)
            backoff = self._new_backoff()
            watched = _Watched(files=files, backoff=backoff, not_before=now + spread)
        if look != watched.look:
            watched.look, watched.changed_at = look, now
            if watched.missing_since is None:
                watched.missing_since = now
        return watched

    def _due(self, watched: _Watched) -> bool:
        now, since = self._clock.monotonic(), watched.missing_since
        if watched.saving or since is None or watched.look[0] is None:
            return False
        if now < max(watched.not_before, self._unavailable_until):
            return False
        quiet = now - watched.changed_at >= self._timing.quiet_seconds
        return quiet or now - since >= self._timing.maximum_seconds

    async def _copy(self, watched: _Watched) -> None:
        files = watched.files
        try:
            async with self._slots:
                if files not in self._sessions():
                    return  # stopped, deleted or handed over while it waited
                if self._clock.monotonic() < self._unavailable_until:
                    return  # another session's copy has just failed
                since = watched.missing_since
                watched.look = await asyncio.to_thread(_look_at, files.directory)
                watched.missing_since = None
                try:
                    await self._save(files)
                except (GatewayError, OSError) as error:
                    watched.missing_since = since
                    self._put_off(watched, error)
                else:
                    watched.backoff.reset()
                    self._outage.reset()
                    # Sessions that changed together are not copied together the next time.
                    spread = self._uniform(0.0, self._timing.quiet_seconds)
                    watched.not_before = self._clock.monotonic() + spread
        finally:
            watched.saving = False

    async def _save(self, files: StoreFiles) -> None:
        if not await self._snapshots.save(files.session_id, files.directory, epoch=files.epoch):
            raise DependencyError("the copy does not count: there is a later one")

    def _new_backoff(self) -> Backoff:
        longest = self._timing.retry_maximum_seconds
        return Backoff(initial_seconds=min(1.0, longest), maximum_seconds=longest)

    def _put_off(self, watched: _Watched, error: Exception) -> None:
        now = self._clock.monotonic()
        seconds = watched.backoff.next_seconds()
        watched.not_before = now + seconds
        if isinstance(error, DependencyError) and now >= self._unavailable_until:
            # Where it was the session's own files, the next copy of another one ends this again
            self._unavailable_until = now + self._outage.next_seconds()
        log.warning(
            "snapshot.failed",
            session_id=watched.files.session_id,
            reason=str(error),
            retry_seconds=round(seconds, 1),
        )


def _look_at_all(sessions: Mapping[str, StoreFiles]) -> dict[str, Look]:
    return {session_id: _look_at(files.directory) for session_id, files in sessions.items()}


def _look_at(directory: Path) -> Look:
    return tuple(_state(directory / name) for name in _WRITTEN)


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
