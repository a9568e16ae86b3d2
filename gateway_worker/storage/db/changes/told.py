"""What was told before: something that leaves no row of its own is known again by its event's id.

The outbox could not tell: it forgets an event a day after it went out, and WhatsApp hands out what
was not confirmed for as long as a session stays away.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import asyncpg

from gateway_worker.storage.db.changes.steps import Step

Connection: TypeAlias = "asyncpg.Connection[Any]"

TELL: Final = """
    INSERT INTO told_events (session_id, event_id)
    SELECT * FROM unnest($1::text[], $2::text[])
    ON CONFLICT DO NOTHING
    RETURNING session_id, event_id
"""
"""$1-2 sessions that are locked, and ids of their events. Returns those that were not told."""


async def skip_told(connection: Connection, steps: Iterable[Step]) -> None:
    """Note what is told once, and find out which steps are repetitions.

    Args:
        connection: The transaction; the sessions are locked.
        steps: What takes effect, in order.
    """
    once = [step for step in steps if step.change.once]
    if not once:
        return
    keys = [(step.change.session_id, step.drafts[0].event.id) for step in once]
    new = {tuple(row) for row in await connection.fetch(TELL, *zip(*keys, strict=True))}
    for step, key in zip(once, keys, strict=True):
        step.repeated = key not in new
        new.discard(key)  # the first of several has it
