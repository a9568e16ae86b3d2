"""How long each step of a command took: for its line in the log, and so for the benches."""

import time


class Stopwatch:
    """Takes the time between steps.

    Args:
        arrived: Monotonic time at which the command was handed over, in seconds.
    """

    def __init__(self, *, arrived: float) -> None:
        self._arrived = arrived
        self._last = arrived
        self._steps: dict[str, float] = {}

    @property
    def total_seconds(self) -> float:
        """Time since the command was handed over."""
        return time.monotonic() - self._arrived

    def lap(self, step: str) -> None:
        """End a step: what passed since the one before is its time."""
        now = time.monotonic()
        self._steps[step] = self._steps.get(step, 0.0) + now - self._last
        self._last = now

    def note(self, step: str, seconds: float) -> None:
        """Note a time that was taken elsewhere."""
        self._steps[step] = seconds

    def seconds(self, step: str) -> float:
        """Return the time of a step that has ended, 0 for one that has not."""
        return self._steps.get(step, 0.0)

    def fields(self) -> dict[str, float]:
        """Return the steps as fields of a log line, `<step>_seconds`, to the tenth of a ms."""
        return {f"{step}_seconds": round(seconds, 4) for step, seconds in self._steps.items()}
