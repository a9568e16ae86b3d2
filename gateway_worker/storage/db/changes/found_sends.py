"""Uncertain sends of which a former owner's disk tells which message they have sent.

The command gets its message, so that a receipt can resolve it; and its good end at once if the disk
also says that WhatsApp had answered, or if a receipt was here before. With one that has no end yet
it is kept.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg

from gateway_contracts import CommandResolved
from gateway_worker.sessions.found_sends import CONTENT, FoundSend
from gateway_worker.storage.db.changes import statements as sql
from gateway_worker.storage.db.changes.bodies import Draft
from gateway_worker.storage.db.changes.other_ids import are_number_and_lid, are_two_people
from gateway_worker.storage.db.changes.steps import Step
from gateway_worker.storage.db.command_keys import command_key
from gateway_worker.storage.db.documents import (
    found_text,
    mapping_text,
    model_text,
    result_text,
)

Connection: TypeAlias = "asyncpg.Connection[Any]"

NAME_MESSAGE = """
    WITH named AS (
        UPDATE commands SET outcome = outcome || $3::text::jsonb
        WHERE id = $2::text AND session_id = $1::text AND state = 'uncertain'
        RETURNING id
    ), account AS (
        SELECT coalesce(account ->> 'jid', '') AS jid FROM sessions WHERE id = $1::text
    )
    INSERT INTO messages
        (session_id, message_id, chat, direction, sender, content, timestamp, command_id, uncertain)
    SELECT $1::text, $4::text, $5::text, 'out', account.jid, $6::text::jsonb, $7::timestamptz,
        $8::text, true
    FROM named, account
    ON CONFLICT DO NOTHING
"""
"""$1 a session that is locked; $2 a command's key; $3 its message as an outcome has it; $4 the
message; $5 its chat; $6 its content; $7 its time; $8 the command. Does nothing if that has another
end."""

KEEP = """
    UPDATE commands SET outcome = $3::text::jsonb
    WHERE id = $2::text AND session_id = $1::text AND state = 'executing'
"""
"""$1 a session that is locked; $2 a command's key; $3 what was told of a run that was interrupted,
for the one that has taken it up, or will. It is no outcome, and the command's own replaces it."""

IS_CONFIRMED = f"""
    SELECT EXISTS (
        SELECT FROM receipts AS r WHERE r.session_id = $1::text AND r.message_id = $2::text
            AND (r.chat = $3::text OR r.chat = r.participant
                AND {are_number_and_lid("r.chat", "$3::text")}
                AND NOT {are_two_people("$1::text", "r.chat", "$3::text")})
    )
"""  # noqa: S608 - constant terms
"""$1 a session; $2 a message of its own; $3 its chat as the disk knows it. A receipt may have come
under the person's other id."""


async def write_found(connection: Connection, steps: Iterable[Step]) -> None:
    """Write what is found of uncertain sends; a step that resolves nothing announces nothing.

    Args:
        connection: The transaction.
        steps: What takes effect, in order.
    """
    for step in steps:
        found = step.change.found
        if found is None:
            continue
        session_id = step.change.session_id
        key = command_key(session_id, found.command_id)
        await connection.execute(KEEP, session_id, key, found_text(found))
        await _name(connection, session_id, found)
        is_over = found.sent is not None or await connection.fetchval(
            IS_CONFIRMED, session_id, found.message_id, found.chat
        )
        command_type = await _resolve(connection, session_id, found) if is_over else None
        step.repeated = command_type is None
        if command_type is not None:
            step.drafts = tuple(_of_type(draft, command_type) for draft in step.drafts)


def _of_type(draft: Draft, command_type: str) -> Draft:
    """Return an announcement with the type of the command that it turned out to be about."""
    event = draft.event
    if not isinstance(event, CommandResolved) or event.data.command_type == command_type:
        return draft
    data = event.data.model_copy(update={"command_type": command_type})
    return Draft.of(event.model_copy(update={"data": data}))


async def _name(connection: Connection, session_id: str, found: FoundSend) -> None:
    message = {"message": {"chat": found.chat, "message_id": found.message_id}}
    timestamp: datetime = found.result.timestamp
    await connection.execute(
        NAME_MESSAGE,
        session_id,
        command_key(session_id, found.command_id),
        mapping_text(message),
        found.message_id,
        found.chat,
        model_text(CONTENT),
        timestamp,
        found.command_id,
    )


async def _resolve(connection: Connection, session_id: str, found: FoundSend) -> str | None:
    """Give a command its good end; returns its type, None if it has another end or none."""
    await connection.execute(sql.SHOW_SENT, session_id, found.command_id)
    outcome = result_text(found.result)
    key = command_key(session_id, found.command_id)
    command_type: str | None = await connection.fetchval(sql.RESOLVE, session_id, key, outcome)
    return command_type
