"""How a session does, judged by what the last hour has shown. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway_contracts import HealthGrade, HealthReason
from gateway_worker.analytics.ports import Traffic

_ORDER: Final = (HealthGrade.GOOD, HealthGrade.FAIR, HealthGrade.POOR)
_ENOUGH_SENDS: Final = 20
"""Of fewer a rate says nothing."""
_ENOUGH_CHATS: Final = 20
_LOOKS_TO_FALL: Final = 2
_LOOKS_TO_RISE: Final = 3
_EASED: Final = 0.8
"""A session gets better when it is below this part of what made it worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """From where on something makes a session fair, and poor."""

    fair: float
    poor: float


FAILURE_RATE: Final = Bounds(fair=0.1, poor=0.3)
REFUSALS: Final = Bounds(fair=1, poor=3)
RETRIES_PER_SEND: Final = Bounds(fair=0.2, poor=0.5)
COLD_SHARE: Final = Bounds(fair=0.5, poor=0.8)
SILENT_SECONDS: Final = Bounds(fair=60, poor=120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What a session's health is judged by.

    Attributes:
        traffic: What it has sent in the last hour.
        retry_receipts: How often devices have asked for messages again meanwhile.
        silent_seconds: How long ago WhatsApp has sent anything; None if it is not connected.
    """

    traffic: Traffic
    retry_receipts: int = 0
    silent_seconds: float | None = None

    def measured(self) -> dict[HealthReason, tuple[float, Bounds]]:
        """Return what is measured against what; nothing of what there is too little of."""
        traffic = self.traffic
        found: dict[HealthReason, tuple[float, Bounds]] = {
            HealthReason.REFUSALS: (traffic.refusals, REFUSALS),
            HealthReason.SILENCE: (self.silent_seconds or 0.0, SILENT_SECONDS),
        }
        if traffic.sends >= _ENOUGH_SENDS:
            retries = self.retry_receipts / traffic.sends
            found[HealthReason.FAILURES] = (traffic.failures / traffic.sends, FAILURE_RATE)
            found[HealthReason.RETRY_RECEIPTS] = (retries, RETRIES_PER_SEND)
        if traffic.chats >= _ENOUGH_CHATS:
            cold = traffic.cold_chats / traffic.chats
            found[HealthReason.COLD_CHATS] = (cold, COLD_SHARE)
        return found


def judge(signs: Signs, *, eased: float = 1.0) -> tuple[HealthGrade, Sequence[HealthReason]]:
    """Return a grade, and what keeps it from being a better one.

    Args:
        signs: What was measured.
        eased: By which factor the bounds are lower.
    """
    grades: dict[HealthReason, HealthGrade] = {}
    for reason, (value, bounds) in signs.measured().items():
        if value >= bounds.poor * eased:
            grades[reason] = HealthGrade.POOR
        elif value >= bounds.fair * eased:
            grades[reason] = HealthGrade.FAIR
    worst = max(grades.values(), key=_ORDER.index, default=HealthGrade.GOOD)
    return worst, [reason for reason, grade in grades.items() if grade is worst]


@dataclass(slots=True)
class Grading:
    """The grade of one session, which changes when several looks agree.

    Attributes:
        grade: What it is now.
    """

    grade: HealthGrade = HealthGrade.GOOD
    _recent: deque[HealthGrade] = field(default_factory=lambda: deque(maxlen=_LOOKS_TO_RISE))

    def look(self, signs: Signs) -> HealthGrade:
        """Note what was measured; returns the grade that it makes, which may be as before."""
        now, _ = judge(signs)
        if _ORDER.index(now) < _ORDER.index(self.grade):
            now, _ = judge(signs, eased=_EASED)
        self._recent.append(now)
        here = _ORDER.index(self.grade)
        places = [_ORDER.index(grade) for grade in self._recent]
        last = places[-_LOOKS_TO_FALL:]
        if len(last) == _LOOKS_TO_FALL and min(last) > here:
            return _ORDER[min(last)]
        if len(places) == _LOOKS_TO_RISE and max(places) < here:
            return _ORDER[max(places)]
        return self.grade

    def settle(self, grade: HealthGrade) -> None:
        """Take a grade that has been told."""
        self.grade = grade
        self._recent.clear()
