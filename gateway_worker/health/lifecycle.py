"""Where the worker is between its start and its end; only in one phase of it can it be ready."""

from datetime import datetime
from enum import StrEnum

from gateway_worker.runtime.clock import Clock


class Phase(StrEnum):
    """One part of a worker's life; they follow each other in this order."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"


_ORDER = tuple(Phase)


class Lifecycle:
    """Knows the phase and how long it has lasted. Reading it from another thread is safe.

    Args:
        clock: For the times shown.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._born = clock.monotonic()
        self._at: tuple[Phase, datetime] = (Phase.STARTING, clock.now())
        self.started_at = self._at[1]

    @property
    def phase(self) -> Phase:
        """The phase of now."""
        return self._at[0]

    @property
    def since(self) -> datetime:
        """When the phase began."""
        return self._at[1]

    @property
    def uptime_seconds(self) -> float:
        """How long the worker has lived."""
        return self._clock.monotonic() - self._born

    def enter(self, phase: Phase) -> None:
        """Go on to a later phase; entering the present one changes nothing.

        Raises:
            ValueError: The phase is an earlier one.
        """
        current = self.phase
        if phase is current:
            return
        if _ORDER.index(phase) < _ORDER.index(current):
            raise ValueError(f"a worker that is {current} cannot be {phase} again")
        self._at = (phase, self._clock.now())
