"""The history as it is read: pages of messages, how far one has got, chats, people."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, get_args

import asyncpg
import orjson

from gateway_contracts import Media
from gateway_contracts.events.change import ChangeEvent
from gateway_worker.history.ports import (
    Beside,
    ChatLine,
    Found,
    PersonLine,
    Place,
    ReceiptLine,
    SendRow,
    StoredRow,
    Wanted,
)
from gateway_worker.sessions.changes import CommandState, Direction
from gateway_worker.sessions.chats import spellings_of
from gateway_worker.storage.db.command_keys import command_id as id_of
from gateway_worker.storage.db.command_keys import command_key
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.documents import read_media
from gateway_worker.storage.db.message_pages import (
    PAGE_BYTES,
    bounded,
    is_filtered,
    last_looked_at,
    page_of,
)

_UNREAD_LOOKED_AT: Final = 300
_UNREAD_MOST: Final = 100
_SAME_ID: Final = 20

_ROW: Final = """m.message_id, m.chat, m.direction, m.sender, m.content, m.timestamp, m.stored_at,
    m.command_id, m.client_ref, m.uncertain"""


def _kind_of(event: type[Any]) -> str:
    data = event.model_fields["data"].annotation
    return str(data.model_fields["content"].annotation.model_fields["kind"].default)


_CHANGES: Final = f"ARRAY{[_kind_of(event) for event in get_args(ChangeEvent)]}"
"""Kinds of what a chat does not show by itself."""

_IDS_OF: Final = """
    SELECT c.chat FROM chats AS named JOIN chats AS c
        ON c.session_id = named.session_id AND c.chat_id = named.chat_id
    WHERE named.session_id = $1 AND named.chat = $2
"""
_CHAT_IDS: Final = """
    SELECT chat, chat_id FROM chats WHERE session_id = $1 AND chat = ANY($2::text[])
"""
_BESIDE: Final = """
    SELECT 'name' AS what, chat AS id, chat_id AS chat, NULL AS told
    FROM chats WHERE session_id = $1 AND chat = ANY($2::text[])
    UNION ALL
    SELECT 'status', r.message_id, coalesce(c.chat_id, r.chat), r.status
    FROM (
        SELECT DISTINCT message_id, chat, status FROM receipts
        WHERE session_id = $1 AND message_id = ANY($3::text[])
    ) AS r LEFT JOIN chats AS c ON c.session_id = $1 AND c.chat = r.chat
    UNION ALL
    SELECT 'media', media_id, NULL, media::text
    FROM media WHERE session_id = $1 AND media_id = ANY($4::text[])
"""
"""$1 a session; $2 chats; $3 messages; $4 files. A receipt counts under whichever of a chat's ids
it came. One answer for all of it: each costs a turn of the server and of the loop."""
_SENDS: Final = """
    SELECT id, state, outcome, client_ref, received_at, finished_at FROM commands
    WHERE session_id = $1 AND {}
    ORDER BY received_at DESC LIMIT 20
"""
_MESSAGES: Final = f"""
    SELECT {_ROW} FROM messages AS m WHERE m.session_id = $1 AND m.message_id = $2
    ORDER BY m.timestamp DESC LIMIT {_SAME_ID}
"""  # noqa: S608 - constant terms
_RECEIPTS: Final = """
    SELECT participant, jsonb_object_agg(status, timestamp) AS at, max(timestamp) AS last,
        count(*) OVER () AS people
    FROM receipts WHERE session_id = $1 AND message_id = $2 AND chat = ANY($3::text[])
    GROUP BY participant ORDER BY last DESC, participant LIMIT $4
"""
_CHATS: Final = f"""
    WITH RECURSIVE heads AS (
        (SELECT chat, timestamp FROM messages WHERE session_id = $1
            ORDER BY chat DESC, timestamp DESC LIMIT 1)
        UNION ALL
        SELECT next.chat, next.timestamp FROM heads CROSS JOIN LATERAL (
            SELECT chat, timestamp FROM messages
            WHERE session_id = $1 AND chat < heads.chat
            ORDER BY chat DESC, timestamp DESC LIMIT 1
        ) AS next
    ), named AS (
        SELECT coalesce(c.chat_id, h.chat) AS chat_id, h.chat, h.timestamp, r.read_at
        FROM heads AS h
        LEFT JOIN chats AS c ON c.session_id = $1 AND c.chat = h.chat
        LEFT JOIN chat_reads AS r ON r.session_id = $1 AND r.chat = h.chat
    ), page AS (
        SELECT chat_id, array_agg(chat ORDER BY timestamp DESC) AS ids,
            max(timestamp) AS last_at, max(read_at) AS read_at
        FROM named GROUP BY chat_id
        HAVING $2::timestamptz IS NULL OR (max(timestamp), chat_id) < ($2, $3::text)
        ORDER BY last_at DESC, chat_id DESC LIMIT $4
    )
    SELECT page.chat_id, page.ids, page.last_at, unread.number AS unread, {_ROW}
    FROM page
    CROSS JOIN LATERAL (
        SELECT * FROM messages
        WHERE session_id = $1 AND chat = page.ids[1] AND timestamp = page.last_at
        ORDER BY stored_at DESC, message_id DESC, direction DESC, sender DESC LIMIT 1
    ) AS m
    CROSS JOIN LATERAL (
        SELECT least(count(*), {_UNREAD_MOST}) AS number FROM unnest(page.ids) AS one(id)
        CROSS JOIN LATERAL (
            SELECT direction, content ->> 'kind' AS kind FROM messages
            WHERE session_id = $1 AND chat = one.id
                AND timestamp > coalesce(page.read_at, '-infinity'::timestamptz)
            ORDER BY timestamp DESC LIMIT {_UNREAD_LOOKED_AT}
        ) AS recent
        WHERE recent.direction = 'in' AND recent.kind <> ALL({_CHANGES})
    ) AS unread
    ORDER BY page.last_at DESC, page.chat_id DESC
"""  # noqa: S608 - constant terms
"""The chats are found by their ends in the index of chats, a look for each and none at the rows."""
_PEOPLE: Final = """
    SELECT chat_id, array_agg(chat ORDER BY since, chat) AS ids, min(since) AS since FROM chats
    WHERE session_id = $1 AND chat_id > $2 AND chat_id LIKE ANY(ARRAY['%@s.whatsapp.net', '%@lid'])
    GROUP BY chat_id ORDER BY chat_id LIMIT $3
"""
_PAGE_OF_CHATS: Final = bounded(_CHATS)


class PostgresHistoryStore:
    """Reads the history (the history's `HistoryStore`). Every call may raise `DependencyError`.

    Args:
        database: Where the tables are.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def ids_of(self, session_id: str, chat: str) -> Sequence[str]:
        """Return all ids of the conversation that has this one, this one among them."""
        ids: dict[str, None] = {}
        for spelled in spellings_of(chat):
            found = await self._fetch("reading a chat's ids", _IDS_OF, session_id, spelled)
            ids |= dict.fromkeys([row["chat"] for row in found] or [spelled])
        return tuple(ids)

    async def find(self, wanted: Wanted, *, limit: int) -> Found:
        """Return at most `limit` messages, of a bounded number that is looked at."""
        statement, values = page_of(wanted, limit=limit)
        found = await self._fetch("reading the history", statement, *values)
        rows = [stored_row(row) for row in found[:limit]]
        by_time = wanted.chat is not None
        if len(found) > limit or (found and found[-1]["read"] > PAGE_BYTES):
            return Found(rows=rows, end=rows[-1].place(by_time=by_time))
        if not is_filtered(wanted):
            return Found(rows=rows, end=None)
        statement, values = last_looked_at(wanted)
        last = await self._fetch("finding the end of a look", statement, *values)
        return Found(rows=rows, end=Place(*last[0]) if last else None)

    async def chat_ids(self, session_id: str, chats: Collection[str]) -> Mapping[str, str]:
        """Return what the conversations of these ids are called, as far as they have names."""
        if not chats:
            return {}
        found = await self._fetch("reading chats' names", _CHAT_IDS, session_id, list(chats))
        return {row["chat"]: row["chat_id"] for row in found}

    async def beside(
        self,
        session_id: str,
        *,
        chats: Collection[str],
        message_ids: Collection[str],
        media_ids: Collection[str],
    ) -> Beside:
        """Return what is told of messages and is not in their rows; see the port."""
        names: dict[str, str] = {}
        statuses: dict[tuple[str, str], set[str]] = {}
        media: dict[str, Media] = {}
        found: Sequence[asyncpg.Record] = ()
        if chats or message_ids or media_ids:
            found = await self._fetch(
                "reading what is told of messages",
                _BESIDE,
                session_id,
                list(chats),
                list(message_ids),
                list(media_ids),
            )
        for row in found:
            match row["what"]:
                case "name":
                    names[row["id"]] = row["chat"]
                case "status":
                    statuses.setdefault((row["id"], row["chat"]), set()).add(row["told"])
                case _:
                    media[row["id"]] = read_media(orjson.loads(row["told"]))
        return Beside(names=names, statuses=statuses, media=media)

    async def sends(
        self, session_id: str, *, command_id: str | None = None, client_ref: str | None = None
    ) -> Sequence[SendRow]:
        """Return the commands of an id or a reference, the newest first, 20 at most."""
        named, value = "client_ref = $2", client_ref
        if command_id is not None:
            named, value = "id = $2", command_key(session_id, command_id)
        found = await self._fetch("reading commands", _SENDS.format(named), session_id, value)
        return [
            SendRow(
                command_id=id_of(row["id"]),
                state=CommandState(row["state"]),
                outcome=row["outcome"] or {},
                client_ref=row["client_ref"],
                received_at=row["received_at"],
                finished_at=row["finished_at"],
            )
            for row in found
        ]

    async def messages(self, session_id: str, message_id: str) -> Sequence[StoredRow]:
        """Return the messages that have this id, in whatever chat, the newest first, 20 at most."""
        found = await self._fetch("reading messages", _MESSAGES, session_id, message_id)
        return [stored_row(row) for row in found]

    async def receipts(
        self, session_id: str, chats: Sequence[str], message_id: str, *, limit: int
    ) -> tuple[Sequence[ReceiptLine], int]:
        """Return who has confirmed a message, the latest first, and how many there are in all."""
        found = await self._fetch(
            "reading a message's receipts", _RECEIPTS, session_id, message_id, list(chats), limit
        )
        lines = [
            ReceiptLine(
                participant=row["participant"],
                at={name: datetime.fromisoformat(at) for name, at in row["at"].items()},
            )
            for row in found
        ]
        return lines, found[0]["people"] if found else 0

    async def chats(
        self, session_id: str, *, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[ChatLine]:
        """Return chats, the one with the newest message first, after a place in that order."""
        found = await self._fetch(
            "reading chats", _PAGE_OF_CHATS, session_id, *(after or (None, None)), limit
        )
        return [
            ChatLine(
                chat_id=row["chat_id"],
                ids=tuple(row["ids"]),
                last_at=row["last_at"],
                last=stored_row(row),
                unread=row["unread"],
            )
            for row in found
        ]

    async def people(
        self, session_id: str, *, after: str | None, limit: int
    ) -> Sequence[PersonLine]:
        """Return people in the order of their names for good, after one of these."""
        found = await self._fetch("reading people", _PEOPLE, session_id, after or "", limit)
        return [
            PersonLine(chat_id=row["chat_id"], ids=tuple(row["ids"]), since=row["since"])
            for row in found
        ]

    async def _fetch(self, doing: str, statement: str, *values: Any) -> list[asyncpg.Record]:
        async with self._database.question(doing) as connection:
            return await connection.fetch(statement, *values)


def stored_row(row: asyncpg.Record) -> StoredRow:
    """Read a row that has all columns of a message."""
    return StoredRow(
        chat=row["chat"],
        message_id=row["message_id"],
        direction=Direction(row["direction"]),
        sender=row["sender"],
        content=row["content"],
        timestamp=row["timestamp"],
        stored_at=row["stored_at"],
        command_id=row["command_id"],
        client_ref=row["client_ref"],
        is_uncertain=row["uncertain"],
    )
