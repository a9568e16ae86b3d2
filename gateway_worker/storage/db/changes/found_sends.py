"""Uncertain sends of which a former owner's disk tells which message they have sent.

The command gets its message, so that a receipt can resolve it; and its good end at once if the disk
also says that WhatsApp had answered, or if what shows the message was here before. With one that
has no end yet it is kept: see `uncertain_ends`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import asyncpg

from gateway_contracts import CommandResolved, Evidence, SentInfo, StatusInfo
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
        RETURNING id, client_ref
    ), account AS (
        SELECT coalesce(account ->> 'jid', '') AS jid FROM sessions WHERE id = $1::text
    )
    INSERT INTO messages
        (session_id, message_id, chat, direction, sender, content, timestamp, command_id,
            client_ref, uncertain)
    SELECT $1::text, $4::text, $5::text, 'out', account.jid, $6::text::jsonb, $7::timestamptz,
        $8::text, named.client_ref, true
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

_IS_ITS_CHAT = f"""
    (x.chat = $3::text OR {are_number_and_lid("x.chat", "$3::text")}
        AND NOT {are_two_people("$1::text", "x.chat", "$3::text")})
"""
IS_CONFIRMED = f"""
    SELECT EXISTS (
        SELECT FROM receipts AS x WHERE x.session_id = $1::text AND x.message_id = $2::text
            AND (x.chat = $3::text OR x.chat = x.participant AND {_IS_ITS_CHAT})
    ) AS by_receipt, EXISTS (
        SELECT FROM messages AS x WHERE x.session_id = $1::text AND x.message_id = $2::text
            AND x.direction = 'out' AND x.command_id IS NULL AND {_IS_ITS_CHAT}
    ) AS by_own_device
"""  # noqa: S608 - constant terms
"""$1 a session; $2 a message of its own; $3 its chat as it is known. What shows it may have come
under the person's other id."""


class Resolved(NamedTuple):
    """The good end of a command that was uncertain, as it is announced."""

    command_type: str
    result: SentInfo | StatusInfo
    evidence: Evidence
    client_ref: str | None

    def told_in(self, event: CommandResolved) -> CommandResolved:
        """Return the announcement with what is known only now."""
        data = event.data.model_copy(update=self._asdict())
        return event.model_copy(update={"data": data})


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
        await name_message(connection, session_id, found)
        resolved = await settle(connection, session_id, found)
        step.repeated = resolved is None
        if resolved is not None:
            step.drafts = tuple(_with(draft, resolved) for draft in step.drafts)


def _with(draft: Draft, resolved: Resolved) -> Draft:
    """Return an announcement of what has become of a command."""
    event = draft.event
    return Draft.of(resolved.told_in(event)) if isinstance(event, CommandResolved) else draft


async def settle(connection: Connection, session_id: str, found: FoundSend) -> Resolved | None:
    """Give an uncertain command its good end, if it is known that its message was sent.

    Args:
        connection: The transaction; the session is locked.
        session_id: The command's session.
        found: The command, and its message.

    Returns:
        None if that is not known, or if the command has another end or none.
    """
    evidence = await _evidence(connection, session_id, found)
    if evidence is None:
        return None
    await connection.execute(sql.SHOW_SENT, session_id, found.command_id)
    key, result = command_key(session_id, found.command_id), found.result
    row = await connection.fetchrow(sql.RESOLVE, session_id, key, result_text(result))
    return None if row is None else Resolved(row["type"], result, evidence, row["client_ref"])


async def _evidence(connection: Connection, session_id: str, found: FoundSend) -> Evidence | None:
    """Return what shows that a message was sent, if anything does."""
    if found.sent is not None:
        return Evidence.ACKNOWLEDGEMENT
    shown = await connection.fetchrow(IS_CONFIRMED, session_id, found.message_id, found.chat)
    assert shown is not None
    if shown["by_receipt"]:
        return Evidence.RECEIPT
    return Evidence.OWN_DEVICE if shown["by_own_device"] else None


async def name_message(connection: Connection, session_id: str, found: FoundSend) -> None:
    """Say of a command that is uncertain which message it would be; nothing of another one.

    Args:
        connection: The transaction; the session is locked.
        session_id: The command's session.
        found: The command, and its message.
    """
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
