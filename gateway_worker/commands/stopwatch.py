"""How long each step of a command took: for its line in the log, and so for the benches."""

import time


class Stopwatch:
    """Takes the time between steps.

    Args:
        arrived: Monotonic time at which the command was handed over, in seconds.

    Attributes:
        outcome: How the command has ended, once it has; None also if it goes on elsewhere or later.
    """

    def __init__(self, *, arrived: float) -> None:
        self._arrived = arrived
        self._last = arrived
        self._steps: dict[str, float] = {}
        self.outcome: str | None = None

    @property
    def total_seconds(self) -> float:
        """Time since the command was handed over."""
        return time.monotonic() - self._arrived

    def lap(self, step: str) -> None:
        """End a step: what passed since the one before is its time."""
        now = time.monotonic()
        self._steps[step] = self._steps.get(step, 0.0) + now - self._last
        self._last = now

    def waited(self, step: str, since: float, *, after: str | None = None) -> None:
        """End a wait that is no part of the step that it was in.

        Args:
            step: What it is called.
            since: When it has begun, by the monotonic clock.
            after: The step that was under way until then; None if that is not worth telling.
        """
        now = time.monotonic()
        if after is not None:
            self._steps[after] = self._steps.get(after, 0.0) + since - self._last
        self._steps[step] = self._steps.get(step, 0.0) + now - since
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
