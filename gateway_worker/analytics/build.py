"""Joins what looks at sessions beside their traffic."""

from collections.abc import Callable, Iterable

from gateway_worker.analytics.days import DayWatch
from gateway_worker.analytics.ports import AnalyticsStore
from gateway_worker.analytics.review import HealthWatch, SessionReviews
from gateway_worker.analytics.reviewed import ReviewedSession
from gateway_worker.analytics.undelivered import UndeliveredWatch
from gateway_worker.runtime.clock import Clock


def build_reviews(
    store: AnalyticsStore,
    *,
    worker_id: str,
    sessions: Callable[[], Iterable[ReviewedSession]],
    clock: Clock,
    undelivered_seconds: float,
    health_seconds: float,
    interval_seconds: float = 30.0,
) -> SessionReviews:
    """Build it; nothing begins to run.

    Args:
        store: Adds up rows.
        worker_id: This worker.
        sessions: Those that are here now.
        clock: The time.
        undelivered_seconds: After how long without a receipt a message is told; 0: never.
        health_seconds: How often a session's health is looked at; 0: never.
        interval_seconds: Between two looks at a session.
    """
    return SessionReviews(
        sessions=sessions,
        store=store,
        clock=clock,
        undelivered=UndeliveredWatch(
            worker_id=worker_id, store=store, after_seconds=undelivered_seconds
        ),
        days=DayWatch(worker_id=worker_id, store=store),
        health=HealthWatch(
            worker_id=worker_id, store=store, clock=clock, every_seconds=health_seconds
        ),
        interval_seconds=interval_seconds,
    )
