"""Calls that run one after the other, each lane of them on a thread of its own.

The library's calls cannot be ended. A lane that gives one up goes on with another thread; the old
one ends with its call, for which the library has a limit of its own.
"""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue


class LaneThread:
    """Runs jobs in order; the thread starts with the first one.

    Args:
        name: For the thread.
        before: Called ahead of every job, for instance to wait for a connection.
    """

    def __init__(self, *, name: str, before: Callable[[], None] = lambda: None) -> None:
        self._name = name
        self._before = before
        self._running: int | None = None
        self._idle = threading.Event()
        self._jobs: SimpleQueue[tuple[int, Callable[[], None]]] = SimpleQueue()
        self._waiting: set[int] = set()
        self._thread: threading.Thread | None = None
        self._changing = threading.Lock()

    @property
    def running(self) -> int | None:
        """The number of the job that runs."""
        return self._running

    @property
    def waiting(self) -> tuple[int, ...]:
        """The numbers of those that have not begun."""
        return tuple(self._waiting)

    @property
    def is_idle(self) -> bool:
        """Whether no job runs or waits."""
        # In this order: a job is not taken from those that wait before it is known to run.
        return not self._waiting and self._running is None

    def put(self, number: int, job: Callable[[], None]) -> None:
        """Queue a job, which must not raise."""
        self._waiting.add(number)
        self._jobs.put((number, job))
        if self._thread is None:
            self._start()

    def take(self, number: int) -> bool:
        """Have a job that waits never begin; returns whether it waited. For every thread."""
        try:
            self._waiting.remove(number)  # atomic: the caller and the lane's thread both try
        except KeyError:
            return False
        return True

    def abandon(self, number: int) -> bool:
        """Go on without the end of a job that runs; returns whether it ran.

        Not for a lane whose jobs must not run beside each other.
        """
        with self._changing:
            if self._running != number:
                return False
            self._running = None
            self._idle.set()
            self._start()
            return True

    def wait_idle(self, seconds: float) -> None:
        """Return when no job runs, or after so long."""
        deadline = time.monotonic() + seconds
        while self._running is not None and (left := deadline - time.monotonic()) > 0:
            self._idle.wait(min(left, 0.1))

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while self._thread is threading.current_thread():
            number, job = self._jobs.get()
            self._before()
            # Said before it is taken, so that whoever finds nothing running can rely on that.
            self._idle.clear()
            self._running = number
            try:
                if self.take(number):
                    job()
            finally:
                self._end(number)

    def _end(self, number: int) -> None:
        with self._changing:
            if self._running == number:
                self._running = None
                self._idle.set()
