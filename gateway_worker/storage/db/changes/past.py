"""Messages that arrive and are stored already, but only as part of an account's history."""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import asyncpg

from gateway_worker.storage.db.changes.steps import Key, Step

Connection: TypeAlias = "asyncpg.Connection[Any]"

_ARRIVED: Final = """
    UPDATE messages AS m SET past = false, stored_at = now()
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
        AS u(session_id, message_id, chat, direction, sender, lid)
    WHERE m.session_id = u.session_id AND m.message_id = u.message_id
        AND m.direction = u.direction AND m.sender IN (u.sender, u.lid)
        AND m.chat IN (u.chat, CASE WHEN u.chat = u.sender THEN u.lid END) AND m.past
    RETURNING u.session_id, u.message_id, u.chat, u.direction, u.sender
"""
"""$1-6 messages of sessions that are locked. Returns those of which only the history had told."""


async def note_arrived(connection: Connection, steps: Iterable[Step]) -> None:
    """Take messages for new that have been stored, but only as part of a history.

    Such a one has been sent to the account after it was linked: that it arrives is told.

    Args:
        connection: The transaction; the sessions are locked.
        steps: All with a message; the ends of commands among them are left alone.
    """
    found_there = [step for step in steps if step.repeated and step.change.outcome is None]
    known = {step.key: step for step in reversed(found_there)}  # the first of several has it
    if not known:
        return
    rows = [
        (step.change.session_id, step.change.message)
        for step in known.values()
        if step.change.message is not None
    ]
    found = await connection.fetch(
        _ARRIVED,
        [session_id for session_id, _ in rows],
        [message.message_id for _, message in rows],
        [message.chat for _, message in rows],
        [message.direction.value for _, message in rows],
        [message.sender for _, message in rows],
        [message.sender_lid for _, message in rows],
    )
    for row in found:
        key: Key = (row[0], row[1], row[2], row[3], row[4])
        if (step := known.get(key)) is not None:
            step.repeated = False
