"""Rows added up: a session's day, what nobody has confirmed, what was sent lately.

Nothing is counted when a message is stored. A day of a session is found by the index of the order
in which its messages were stored, its sends by that of its commands, receipts by their key.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import asyncpg

from gateway_contracts import DayCounts, ErrorCode, KindCounts
from gateway_worker.analytics.ports import SentPlace, Together, Traffic, Unconfirmed
from gateway_worker.sessions.changes import Review
from gateway_worker.storage.db.changes.other_ids import are_number_and_lid, are_two_people
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.documents import mapping_text

_IS_OF_IT: Final = f"""(r.chat = m.chat OR EXISTS (
        SELECT FROM chats AS a JOIN chats AS b
            ON b.session_id = a.session_id AND b.chat_id = a.chat_id
        WHERE a.session_id = m.session_id AND a.chat = m.chat AND b.chat = r.chat
    ) OR r.chat = r.participant AND {are_number_and_lid("r.chat", "m.chat")}
        AND NOT {are_two_people("m.session_id", "r.chat", "m.chat")})"""
"""That a receipt that names a message's id is of that message: ids are unique in a chat only, and
it may have come under the person's other id."""
_KINDS: Final = f"""
    SELECT m.content ->> 'kind' AS kind,
        count(*) FILTER (WHERE m.direction = 'in') AS received,
        count(*) FILTER (WHERE m.direction = 'out' AND m.command_id IS NULL) AS sent_elsewhere,
        count(*) FILTER (
            WHERE m.direction = 'out' AND m.command_id IS NOT NULL AND NOT m.uncertain
        ) AS sent,
        count(*) FILTER (WHERE heard.is_told) AS delivered,
        count(*) FILTER (WHERE heard.is_read) AS read
    FROM messages AS m CROSS JOIN LATERAL (
        SELECT count(*) > 0 AS is_told, bool_or(r.status IN ('read', 'played')) AS is_read
        FROM receipts AS r WHERE r.session_id = m.session_id AND r.message_id = m.message_id
            AND m.direction = 'out' AND m.command_id IS NOT NULL AND NOT m.uncertain
            AND {_IS_OF_IT}
    ) AS heard
    WHERE m.session_id = $1 AND m.stored_at >= $2 AND m.stored_at < $3 AND NOT m.past
    GROUP BY kind ORDER BY kind
"""  # noqa: S608 - constant terms
"""$1 a session; $2 the beginning; $3 the end. The look at receipts is for what was sent only."""
_FAILED: Final = """
    SELECT outcome -> 'error' ->> 'code' AS code, count(*) AS number FROM commands
    WHERE session_id = $1 AND received_at >= $2 AND received_at < $3
        AND type = 'wa.message.send.v1' AND state IN ('failed', 'uncertain')
        AND outcome -> 'error' ->> 'code' IS NOT NULL
    GROUP BY code ORDER BY code
"""
_COUNTED: Final = """
    SELECT day, counts FROM daily_counts WHERE session_id = $1 AND day >= $2 AND day <= $3
"""
_NOW: Final = "SELECT clock_timestamp() AS now"
_NUMBERS: Final = ("sent", "delivered", "read", "sent_elsewhere", "received")
_SUMS: Final = ", ".join(f"'{name}', sum((kind ->> '{name}')::bigint)" for name in _NUMBERS)
_TOGETHER: Final = f"""
    WITH wanted AS MATERIALIZED (
        SELECT session_id, day, counts FROM daily_counts
        WHERE day >= $1 AND day <= $2 AND labels @> $3::text::jsonb
            AND ($4::text IS NULL
                OR split_part(session_id, '.', 1) = $4 AND position('.' IN session_id) > 0)
    ), kinds AS (
        SELECT day, kind ->> 'content_kind' AS name,
            jsonb_build_object({_SUMS}) AS numbers
        FROM wanted CROSS JOIN LATERAL jsonb_array_elements(
            coalesce(counts -> 'kinds', '[]'::jsonb)) AS kind
        GROUP BY day, name
    ), failed AS (
        SELECT day, one.key AS name, sum(one.value::bigint)::bigint AS number
        FROM wanted CROSS JOIN LATERAL jsonb_each_text(
            coalesce(counts -> 'failed', '{{}}'::jsonb)) AS one
        GROUP BY day, name
    )
    SELECT NULL::date AS day, NULL AS name, NULL::jsonb AS numbers,
        count(DISTINCT session_id) AS number
    FROM wanted
    UNION ALL SELECT day, name, numbers, NULL FROM kinds
    UNION ALL SELECT day, name, NULL, number FROM failed
    ORDER BY day NULLS FIRST, name
"""  # noqa: S608 - constant terms
"""$1 the first day; $2 the last; $3 labels; $4 a tenant. By the index of days."""
_REVIEWS: Final = """
    SELECT session_id, unconfirmed, told_day, grade FROM session_reviews
    WHERE session_id = ANY($1::text[])
"""
_UNCONFIRMED: Final = f"""
    SELECT m.stored_at, m.message_id, m.chat, m.timestamp, m.command_id, m.client_ref,
        m.direction = 'out' AND m.command_id IS NOT NULL AND NOT m.uncertain
            AND m.chat LIKE ANY(ARRAY['%@s.whatsapp.net', '%@lid', '%@g.us'])
            AND NOT EXISTS (SELECT FROM receipts AS r
                WHERE r.session_id = m.session_id AND r.message_id = m.message_id
                    AND {_IS_OF_IT}) AS is_wanted
    FROM messages AS m
    WHERE m.session_id = $1 AND m.stored_at >= $2
        AND (m.stored_at, m.message_id COLLATE "C", m.chat COLLATE "C")
            > ($2, $3::text, $4::text)
        AND m.stored_at <= $5
    ORDER BY m.stored_at, m.message_id COLLATE "C", m.chat COLLATE "C" LIMIT $6
"""  # noqa: S608 - constant terms
"""$1 a session; $2-4 the place before the first; $5 until when; $6 how many. Texts are in the order
that Python sorts them by, which compares places."""
_SENDS: Final = """
    SELECT count(*) AS sends,
        count(*) FILTER (WHERE outcome -> 'error' ->> 'code' = ANY($3::text[])) AS failures,
        count(*) FILTER (WHERE outcome -> 'error' ->> 'code' = $4) AS refusals
    FROM commands WHERE session_id = $1 AND received_at >= $2 AND type = 'wa.message.send.v1'
        AND state IN ('succeeded', 'failed', 'uncertain')
"""
_COLD: Final = """
    SELECT count(*) AS chats, count(*) FILTER (WHERE NOT EXISTS (
        SELECT FROM messages AS i WHERE i.session_id = $1 AND i.direction = 'in' AND i.chat IN (
            SELECT sent.chat UNION ALL
            SELECT c.chat FROM chats AS c WHERE c.session_id = $1 AND c.chat_id = sent.chat_id)
    )) AS cold_chats
    FROM (
        SELECT DISTINCT m.chat, n.chat_id FROM messages AS m
        LEFT JOIN chats AS n ON n.session_id = m.session_id AND n.chat = m.chat
        WHERE m.session_id = $1 AND m.stored_at >= $2 AND m.direction = 'out'
            AND m.command_id IS NOT NULL AND m.chat LIKE ANY(ARRAY['%@s.whatsapp.net', '%@lid'])
    ) AS sent
"""


class PostgresAnalyticsStore:
    """Adds up rows (the analytics' `AnalyticsStore`). Every call may raise `DependencyError`.

    Args:
        database: Where the tables are.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def now(self) -> datetime:
        """Return the database's time, by which rows are stored."""
        (row,) = await self._fetch("asking for the time", _NOW)
        now: datetime = row["now"]
        return now

    async def count(self, session_id: str, day: date) -> DayCounts:
        """Count a session's day, as it stands now."""
        begins = datetime.combine(day, time(), UTC)
        bounds = (begins, begins + timedelta(days=1))
        kinds = await self._fetch("counting a day's messages", _KINDS, session_id, *bounds)
        failed = await self._fetch("counting a day's failures", _FAILED, session_id, *bounds)
        return DayCounts(
            day=day,
            kinds=tuple(
                KindCounts(
                    content_kind=row["kind"],
                    sent=row["sent"],
                    delivered=row["delivered"],
                    read=row["read"],
                    sent_elsewhere=row["sent_elsewhere"],
                    received=row["received"],
                )
                for row in kinds
            ),
            failed={row["code"]: row["number"] for row in failed},
        )

    async def counted(
        self, session_id: str, *, since: date, until: date
    ) -> Mapping[date, DayCounts]:
        """Return the days that are counted for good, both ends included."""
        found = await self._fetch("reading counted days", _COUNTED, session_id, since, until)
        return {
            row["day"]: DayCounts.model_validate({**row["counts"], "day": row["day"]})
            for row in found
        }

    async def counted_together(self, wanted: Together) -> tuple[int, Sequence[DayCounts]]:
        """Return of how many sessions something was counted, and their days added up, in order."""
        first, *found = await self._fetch(
            "adding days up",
            _TOGETHER,
            wanted.since,
            wanted.until,
            mapping_text(wanted.labels),
            wanted.tenant,
        )
        kinds: dict[date, list[KindCounts]] = {}
        failed: dict[date, dict[str, int]] = {}
        for row in found:
            if row["numbers"] is None:
                failed.setdefault(row["day"], {})[row["name"]] = row["number"]
            else:
                numbers = {name: number or 0 for name, number in row["numbers"].items()}
                counts = KindCounts(content_kind=row["name"], **numbers)
                kinds.setdefault(row["day"], []).append(counts)
        days = [
            DayCounts(day=day, kinds=tuple(kinds.get(day, ())), failed=failed.get(day, {}))
            for day in sorted(kinds.keys() | failed.keys())
        ]
        return first["number"], days

    async def reviews(self, session_ids: Collection[str]) -> Mapping[str, Review]:
        """Return how far sessions have been looked at, as far as they have."""
        found = await self._fetch("reading reviews", _REVIEWS, list(session_ids))
        return {row["session_id"]: _review(row) for row in found}

    async def unconfirmed(
        self, session_id: str, *, after: SentPlace, until: datetime, limit: int
    ) -> tuple[Sequence[Unconfirmed], SentPlace]:
        """Return what nobody has confirmed, and the place up to which was looked; see the port."""
        found = await self._fetch(
            "looking for unconfirmed messages", _UNCONFIRMED, session_id, *after, until, limit
        )
        wanted = [
            Unconfirmed(
                place=SentPlace(row["stored_at"], row["message_id"], row["chat"]),
                timestamp=row["timestamp"],
                command_id=row["command_id"],
                client_ref=row["client_ref"],
            )
            for row in found
            if row["is_wanted"]
        ]
        if len(found) < limit:
            return wanted, SentPlace(until, "", "")
        last = found[-1]
        return wanted, SentPlace(last["stored_at"], last["message_id"], last["chat"])

    async def traffic(
        self, session_id: str, *, since: datetime, failures: Iterable[str]
    ) -> Traffic:
        """Return what a session has sent since then; `failures` are the codes that count."""
        refused = ErrorCode.REACHOUT_RESTRICTED.value
        (sends,) = await self._fetch(
            "counting sends", _SENDS, session_id, since, list(failures), refused
        )
        if not sends["sends"]:
            return Traffic()
        (chats,) = await self._fetch("counting new chats", _COLD, session_id, since)
        return Traffic(
            sends=sends["sends"],
            failures=sends["failures"],
            refusals=sends["refusals"],
            chats=chats["chats"],
            cold_chats=chats["cold_chats"],
        )

    async def _fetch(self, doing: str, statement: str, *values: Any) -> list[asyncpg.Record]:
        async with self._database.question(doing) as connection:
            return await connection.fetch(statement, *values)


def _review(row: asyncpg.Record) -> Review:
    place = row["unconfirmed"]
    return Review(
        unconfirmed=None
        if place is None
        else (datetime.fromisoformat(place[0]), place[1], place[2]),
        told_day=row["told_day"],
        grade=row["grade"],
    )
