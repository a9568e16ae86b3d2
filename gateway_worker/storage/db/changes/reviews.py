"""How far sessions have been looked at beside their traffic, and what was counted of them."""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import asyncpg
import orjson

from gateway_worker.storage.db.changes.steps import Step
from gateway_worker.storage.db.documents import mapping_text, model_text

Connection: TypeAlias = "asyncpg.Connection[Any]"

WRITE_REVIEW: Final = """
    INSERT INTO session_reviews AS r (session_id, unconfirmed, told_day, grade)
    VALUES ($1::text, $2::text::jsonb, $3::date, $4::text)
    ON CONFLICT (session_id) DO UPDATE SET
        unconfirmed = coalesce(EXCLUDED.unconfirmed, r.unconfirmed),
        told_day = greatest(EXCLUDED.told_day, r.told_day),
        grade = coalesce(EXCLUDED.grade, r.grade)
"""
"""$1 a session that is locked; $2 a message's place; $3 a day; $4 a grade."""
WRITE_COUNTS: Final = """
    INSERT INTO daily_counts (session_id, day, counts, labels)
    VALUES ($1::text, $2::date, $3::text::jsonb, $4::text::jsonb)
    ON CONFLICT (session_id, day) DO UPDATE SET counts = EXCLUDED.counts, labels = EXCLUDED.labels
"""
"""$1 a session that is locked; $2 a day; $3 what was counted; $4 the session's labels."""


async def write_reviews(connection: Connection, steps: Iterable[Step]) -> None:
    """Write what looks at sessions have come to.

    Args:
        connection: The transaction; the sessions are locked.
        steps: What takes effect, in order.
    """
    for step in steps:
        session_id, review = step.change.session_id, step.change.review
        if review is not None:
            place = review.unconfirmed
            await connection.execute(
                WRITE_REVIEW,
                session_id,
                None if place is None else orjson.dumps(list(place)).decode(),
                review.told_day,
                review.grade,
            )
        for each in step.change.counted:
            await connection.execute(
                WRITE_COUNTS,
                session_id,
                each.counts.day,
                model_text(each.counts),
                mapping_text(each.labels),
            )
