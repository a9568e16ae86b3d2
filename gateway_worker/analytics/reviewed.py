"""A session as it is looked at beside its traffic, and what is remembered of it meanwhile."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from gateway_contracts import Account, HealthGrade, SessionInfo
from gateway_worker.analytics.health import Grading
from gateway_worker.analytics.ports import SentPlace, Traffic
from gateway_worker.sessions.changes import Change, Committed, Review


class ReviewedSession(Protocol):
    """What a look needs of a session of this worker."""

    @property
    def session_id(self) -> str:
        """Its id."""
        ...

    @property
    def epoch(self) -> int:
        """Under which this worker owns it."""
        ...

    @property
    def account(self) -> Account | None:
        """The account that it is linked to."""
        ...

    @property
    def retry_receipts(self) -> int:
        """How often devices have asked for messages again, as far as its hosts were heard."""
        ...

    def info(self) -> SessionInfo:
        """Return how it stands."""
        ...

    def record(self, change: Change) -> "asyncio.Future[Committed]":
        """Queue a change; the future is done when it is committed."""
        ...


@dataclass(slots=True)
class Standing:
    """What is remembered of a session under one epoch.

    Attributes:
        epoch: That.
        unconfirmed: Up to where was looked for what nobody has confirmed; None: never.
        noted: Up to where that is written.
        told_day: The last day whose counts have been told; None: none yet.
        grading: How it does.
        traffic: What it had sent lately when that was last looked at.
        health_at: When to look at that next, by the monotonic clock.
        retries: The hosts' count of requests to send again, at each of the last looks: when it was
            looked, by the wall clock, and how many there were.
    """

    epoch: int
    unconfirmed: SentPlace | None = None
    noted: SentPlace | None = None
    told_day: date | None = None
    grading: Grading = field(default_factory=Grading)
    traffic: Traffic = field(default_factory=Traffic)
    health_at: float = 0.0
    retries: deque[tuple[datetime, int]] = field(default_factory=deque)

    @classmethod
    def of(cls, epoch: int, review: Review | None) -> "Standing":
        """Return what is written of a session."""
        if review is None:
            return cls(epoch=epoch)
        place = None if review.unconfirmed is None else SentPlace(*review.unconfirmed)
        grade = HealthGrade.GOOD if review.grade is None else HealthGrade(review.grade)
        return cls(
            epoch=epoch,
            unconfirmed=place,
            noted=place,
            told_day=review.told_day,
            grading=Grading(grade=grade),
        )
