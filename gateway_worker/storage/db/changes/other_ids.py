"""What confirms a message under another id of the person than the one that it is stored under.

A message to a number may be confirmed under the person's LID, or the other way round, by a host
whose store does not know that the two are one person's. The library draws the ids of messages at
random, so that nobody but who got one can name it; but whoever did may name it as they like. So
that counts for as long as nothing known says that the number and the LID are two people's. Nor is
it taken for known from then on that they are one: for that a message has to name both.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

import asyncpg

from gateway_worker.storage.db.changes.steps import NOBODY, Step
from gateway_worker.storage.db.command_keys import command_key

Connection: TypeAlias = "asyncpg.Connection[Any]"

_NUMBER: Final = "'%@s.whatsapp.net'"
_LID: Final = "'%@lid'"


def are_number_and_lid(one: str, other: str) -> str:
    """Return the SQL condition that of two ids one is a person's number, and the other a LID."""
    return f"""({one} LIKE {_LID} AND {other} LIKE {_NUMBER}
        OR {one} LIKE {_NUMBER} AND {other} LIKE {_LID})"""


def are_two_people(session_id: str, one: str, other: str) -> str:
    """Return the SQL condition that a number and a LID are known to be two people's.

    They are if they are not of one conversation, and one of them is of a conversation with an id of
    the other's kind; and if one of them is the account's own, whose other id is known.
    """
    own = [f"regexp_replace(s.account ->> '{name}', ':[0-9]+@', '@')" for name in ("jid", "lid")]
    return f"""(NOT EXISTS (
            SELECT FROM chats AS a JOIN chats AS b
                ON b.session_id = a.session_id AND b.chat_id = a.chat_id
            WHERE a.session_id = {session_id} AND a.chat = {one} AND b.chat = {other}
        ) AND EXISTS (
            SELECT FROM chats AS a JOIN chats AS b
                ON b.session_id = a.session_id AND b.chat_id = a.chat_id
            WHERE a.session_id = {session_id} AND a.chat IN ({one}, {other})
                AND (a.chat LIKE {_LID}) <> (b.chat LIKE {_LID})
        ) OR EXISTS (
            SELECT FROM sessions AS s WHERE s.id = {session_id}
                AND ({own[0]} IN ({one}, {other})) <> ({own[1]} IN ({one}, {other}))
        ))"""  # noqa: S608 - constant terms


_DISTRUSTED: Final = f"""
    SELECT u.place FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
        WITH ORDINALITY AS u(session_id, message_id, chat, command_id, key, place)
    WHERE EXISTS (
        SELECT FROM messages AS m LEFT JOIN commands AS c ON c.id = u.key
        WHERE m.session_id = u.session_id AND m.message_id = u.message_id AND m.direction = 'out'
            AND m.command_id = u.command_id AND (
                {are_two_people("u.session_id", "u.chat", "m.chat")}
                OR c.outcome -> 'result' ->> 'chat_lid'
                    <> CASE WHEN u.chat LIKE {_LID} THEN u.chat ELSE m.chat END
            )
    )
"""  # noqa: S608 - constant terms
"""$1-3 what confirms messages: sessions, the messages, and the chats that it names; $4-5 the
commands that have sent these messages, under an id of the other kind, and their keys. Returns the
places (from 1) of what is by somebody else, as far as is known: WhatsApp's answer to the send is,
too."""


async def distrust(connection: Connection, steps: Iterable[Step]) -> None:
    """Take the sender from what is known to be about a message of somebody else's.

    Args:
        connection: The transaction; what its steps tell of people is written.
        steps: Receipts, and messages that another device shows, of which the one that was sent was
            found under another id than theirs.
    """
    doubted: Sequence[Step] = [step for step in steps if step.live]
    if not doubted:
        return
    rows = [
        (
            step.change.session_id,
            shown.message_id,
            shown.chat,
            step.sender.command_id,
            command_key(step.change.session_id, step.sender.command_id or ""),
        )
        for step in doubted
        if (shown := step.change.receipt or step.change.message) is not None
    ]
    for (place,) in await connection.fetch(_DISTRUSTED, *map(list, zip(*rows, strict=True))):
        doubted[place - 1].sender = NOBODY
