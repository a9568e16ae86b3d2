"""Keeps one trouble from filling the log: of what is said over and over, a part is written.

Only warnings and errors are counted, for a flood of them says nothing that the first ones have not
said. What was left out is told in one line when the time is over.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

BURST: Final = 20
WINDOW_SECONDS: Final = 10.0
"""So many lines of one kind are written in so many seconds."""
KINDS: Final = 4096
"""So many kinds are kept apart. Whoever makes names of sessions up, thousands a second, would fill
the log otherwise: from then on new ones of one event are one kind."""
_LOUD: Final = frozenset({"warning", "error", "critical", "exception", "fatal"})
_LONGEST: Final = 200


@dataclass(slots=True)
class _Window:
    since: float
    level: str
    said: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """Lines of one kind that were left out.

    Attributes:
        level: Their level.
        logger: Who said it.
        event: What was said.
        subject: Of which session, or what a library said; may be empty.
        times: How often.
    """

    level: str
    logger: str
    event: str
    subject: str
    times: int


class Throttle:
    """Decides which lines are written; thread-safe and quick.

    Lines are of one kind if they come from one logger, name one event and are about one session; or
    about any other, if there are too many of those.

    Args:
        burst: How many lines of a kind are written per window.
        window_seconds: How long a window is.
        monotonic: The clock; replaced in tests.
    """

    def __init__(
        self,
        *,
        burst: int = BURST,
        window_seconds: float = WINDOW_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = burst
        self._window_seconds = window_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str, str], _Window] = {}
        self._next_look = 0.0
        self.left_out = 0

    def admits(self, fields: Mapping[str, Any], *, subject: str = "") -> bool:
        """Whether this line is to be written; if not it is counted.

        Args:
            fields: Its level, logger, event and session.
            subject: What it is about, if it is about no session.
        """
        level = str(fields.get("level"))
        if level not in _LOUD:
            return True
        about = str(fields.get("session_id") or subject)[:_LONGEST]
        logger, event = str(fields.get("logger")), str(fields.get("event"))
        with self._lock:
            now = self._monotonic()
            key = self._kind(logger, event, about)
            window = self._windows.get(key)
            if window is None:
                window = self._windows[key] = _Window(since=now, level=level)
            elif now - window.since >= self._window_seconds and not window.left_out:
                window.since, window.said = now, 0
            if window.said < self._burst:
                window.said += 1
                return True
            window.left_out += 1
            self.left_out += 1
            return False

    def _kind(self, logger: str, event: str, about: str) -> tuple[str, str, str]:
        """Return what a line is counted as: more of it alike, the more kinds there are."""
        exact, of_event = (logger, event, about), (logger, event, "")
        if exact in self._windows or len(self._windows) < KINDS:
            return exact
        if of_event in self._windows or len(self._windows) < 2 * KINDS:
            return of_event
        return logger, "", ""

    def due(self, *, everything: bool = False) -> list[Repetition]:
        """Return what was left out in windows that are over, and forget those that are quiet.

        Args:
            everything: Also what was left out in windows that are not over.
        """
        now = self._monotonic()
        if not everything and now < self._next_look:
            return []
        with self._lock:
            self._next_look = now + self._window_seconds / 10
            told = []
            for key, window in list(self._windows.items()):
                if not everything and now - window.since < self._window_seconds:
                    continue
                if window.left_out:
                    told.append(_repetition(key, window))
                    window.since, window.said, window.left_out = now, 0, 0
                else:
                    del self._windows[key]
            return told


def _repetition(key: tuple[str, str, str], window: _Window) -> Repetition:
    logger, event, subject = key
    return Repetition(
        level=window.level, logger=logger, event=event, subject=subject, times=window.left_out
    )
