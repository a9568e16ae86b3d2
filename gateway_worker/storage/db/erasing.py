"""Rows of one person in a session's tables, erased.

The index of chats finds the messages of the chat; what the person wrote in groups, and receipts,
are found by reading the session's rows, which is seldom done.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg

from gateway_worker.history.erasing import Place, StoredFile
from gateway_worker.storage.db.command_keys import command_id, command_key
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.erased_people import mark_erased

_IS_WANTED: Final = """(md.chat = ANY($2::text[]) OR EXISTS (SELECT FROM messages AS m
    WHERE m.session_id = $1 AND m.message_id = md.message_id AND m.chat = md.chat
        AND m.sender = ANY($2::text[])))"""
_FILES: Final = f"""
    WITH wanted AS MATERIALIZED (
        SELECT md.media_id, md.sha256 FROM media AS md WHERE md.session_id = $1 AND {_IS_WANTED}
    )
    SELECT media_id, sha256, NOT EXISTS (SELECT FROM media AS o
        WHERE o.session_id = $1 AND o.sha256 = wanted.sha256
            AND o.media_id NOT IN (SELECT media_id FROM wanted)) AS is_alone
    FROM wanted
"""  # noqa: S608 - constant terms
_FORGET_FILES: Final = "DELETE FROM media WHERE session_id = $1 AND media_id = ANY($2::text[])"
_BY_CHAT: Final = """
    DELETE FROM messages WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM messages WHERE session_id = $1 AND chat = ANY($2::text[]) LIMIT $3))
"""
_BY_SENDER: Final = """
    DELETE FROM messages WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM messages WHERE session_id = $1 AND sender = ANY($2::text[]) LIMIT $3))
"""
_RECEIPTS: Final = """
    DELETE FROM receipts WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM receipts
        WHERE session_id = $1 AND (chat = ANY($2::text[]) OR participant = ANY($2::text[]))
        LIMIT $3))
"""
_OUTCOMES_OF: Final = """
    WITH part AS MATERIALIZED (
        SELECT id, received_at, outcome::text ~ $2 AS is_wanted
        FROM commands
        WHERE session_id = $1 AND received_at >= $3 AND (received_at, id) > ($3, $4)
        ORDER BY received_at, id LIMIT $5
    )
    SELECT id, received_at, coalesce(is_wanted, false) AS is_wanted FROM part
    ORDER BY received_at, id
"""
"""$1 a session; $2 what finds a person; $3-4 time and id of the command before; $5 how many."""
_OUTCOMES: Final = """
    UPDATE commands SET client_ref = NULL, outcome = CASE
        WHEN type LIKE 'wa.contact.%' AND state = 'succeeded' THEN '{}'
        ELSE regexp_replace(outcome::text, $2, '10000000000', 'g')::jsonb END
    WHERE session_id = $1 AND id = ANY($3::text[])
"""
"""In the form of a number still, which whoever reads an outcome insists on. What was asked about a
person is not kept at all; asked again it is answered anew."""
_EVENTS: Final = """
    WITH part AS MATERIALIZED (
        SELECT id, published_at IS NOT NULL AS is_out, convert_from(body, 'UTF8') ~ $2 AS is_wanted
        FROM outbox WHERE session_id = $1 AND id > $3 ORDER BY id LIMIT $4
    ), gone AS (
        DELETE FROM outbox USING part WHERE outbox.id = part.id AND is_wanted AND is_out
    ), going AS (
        UPDATE outbox SET forget = true FROM part
        WHERE outbox.id = part.id AND is_wanted AND NOT is_out
    )
    SELECT count(*) AS looked, max(id) AS last, count(*) FILTER (WHERE is_wanted) AS erased
    FROM part
"""
"""What is not published yet goes out, and is then deleted instead of kept."""
_FIRST: Final[Place] = (datetime(1970, 1, 1, tzinfo=UTC), "")
_CHATS: Final = "SELECT count(*) FROM chats WHERE session_id = $1 AND chat = ANY($2::text[])"


class PostgresErasureStore:
    """Erases rows (the history's `ErasureStore`). Every call may raise `DependencyError`.

    Args:
        database: Where the tables are.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def mark(self, session_id: str, ids: Sequence[str]) -> None:
        """Note that the person is erased now; see the port."""
        await mark_erased(self._database, session_id, ids)

    async def files(self, session_id: str, ids: Sequence[str]) -> Sequence[StoredFile]:
        """Return the files of the messages that are to be erased."""
        found = await self._fetch("looking for a person's files", _FILES, session_id, list(ids))
        return [
            StoredFile(media_id=row["media_id"], sha256=row["sha256"], is_alone=row["is_alone"])
            for row in found
        ]

    async def forget_files(self, session_id: str, media_ids: Sequence[str]) -> None:
        """Erase their rows."""
        await self._erase("erasing files' rows", _FORGET_FILES, session_id, list(media_ids))

    async def messages(self, session_id: str, ids: Sequence[str], *, limit: int) -> int:
        """Erase the messages with a person, and those by the person."""
        erased = await self._erase("erasing messages", _BY_CHAT, session_id, list(ids), limit)
        if erased < limit:
            rest = limit - erased
            erased += await self._erase("erasing messages", _BY_SENDER, session_id, list(ids), rest)
        return erased

    async def receipts(self, session_id: str, ids: Sequence[str], *, limit: int) -> int:
        """Erase what the person has confirmed, and what was confirmed in the chat."""
        return await self._erase("erasing receipts", _RECEIPTS, session_id, list(ids), limit)

    async def outcomes_of(
        self, session_id: str, numbers: Sequence[str], *, after: Place | None, limit: int
    ) -> tuple[Sequence[str], Place | None]:
        """Return the commands whose outcomes tell of the person; see the port."""
        at, key = after or _FIRST
        found = await self._fetch(
            "looking for outcomes",
            _OUTCOMES_OF,
            session_id,
            _pattern(numbers),
            at,
            key,
            limit,
        )
        place = (found[-1]["received_at"], found[-1]["id"]) if len(found) == limit else None
        return [command_id(row["id"]) for row in found if row["is_wanted"]], place

    async def outcomes(
        self, session_id: str, numbers: Sequence[str], command_ids: Sequence[str]
    ) -> int:
        """Replace the person's ids in outcomes of commands."""
        return await self._erase(
            "erasing a person from outcomes",
            _OUTCOMES,
            session_id,
            _pattern(numbers),
            [command_key(session_id, each) for each in command_ids],
        )

    async def events(
        self, session_id: str, numbers: Sequence[str], *, after: int, limit: int
    ) -> tuple[int, int | None]:
        """Erase stored events that tell of the person; see the port."""
        (row,) = await self._fetch(
            "erasing events", _EVENTS, session_id, _pattern(numbers), after, limit
        )
        return row["erased"], row["last"] if row["looked"] == limit else None

    async def chats(self, session_id: str, ids: Sequence[str]) -> int:
        """Return how many of the ids chats are known by."""
        (row,) = await self._fetch("counting a person's chats", _CHATS, session_id, list(ids))
        return int(row["count"])

    async def _fetch(self, doing: str, statement: str, *values: Any) -> list[asyncpg.Record]:
        async with self._database.question(doing) as connection:
            return await connection.fetch(statement, *values)

    async def _erase(self, doing: str, statement: str, *values: Any) -> int:
        """Run a statement; returns how many rows it has changed."""
        async with self._database.question(doing) as connection:
            done: str = await connection.execute(statement, *values)
        return int(done.rpartition(" ")[2])


def _pattern(numbers: Sequence[str]) -> str:
    """Return what finds these numbers, and no longer ones of which they are a part."""
    return rf"(?<![0-9])({'|'.join(numbers)})(?![0-9])"
