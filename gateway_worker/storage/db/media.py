"""The table of files that came with messages; it is written in `changes`."""

from collections.abc import Collection, Sequence

from sqlalchemy import text

from gateway_worker.media.arriving.ports import Aged, Waiting
from gateway_worker.media.arriving.records import MediaRow, key_of, thumbnail_key_of
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.documents import read_media

_GET = text("""
    SELECT media_id, message_id, chat, media, file_name, reference, thumbnail FROM media
    WHERE session_id = :session_id AND media_id = :media_id
""")
_WAITING = text("""
    SELECT session_id, media_id FROM (
        SELECT session_id, media_id, stored_at,
            row_number() OVER (PARTITION BY session_id ORDER BY stored_at) AS place
        FROM media WHERE state = 'pending' AND session_id = ANY(:session_ids)
    ) AS waiting
    ORDER BY place, stored_at LIMIT CAST(:limit AS bigint)
""")
_AGED = text("""
    WITH cut AS (SELECT now() - make_interval(secs => CAST(:keep_seconds AS float8)) AS at)
    SELECT m.session_id, m.media_id, m.sha256, NOT EXISTS (
            SELECT 1 FROM media AS other, cut
            WHERE other.session_id = m.session_id AND other.sha256 = m.sha256
                AND other.stored_at >= cut.at
        ) AS is_alone
    FROM media AS m, cut WHERE m.stored_at < cut.at
    ORDER BY m.stored_at LIMIT CAST(:limit AS bigint)
""")
_FORGET = text("""
    DELETE FROM media USING unnest(CAST(:session_ids AS text[]), CAST(:media_ids AS text[]))
        AS u(session_id, media_id)
    WHERE media.session_id = u.session_id AND media.media_id = u.media_id
""")


class PostgresMediaTable:
    """Finds files (the media package's `MediaTable`). Every call may raise `DependencyError`.

    Args:
        database: Where the table is.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def get(self, session_id: str, media_id: str) -> MediaRow | None:
        """Return a file or None."""
        async with self._database.statement("reading a file's row") as connection:
            found = await connection.execute(_GET, {"session_id": session_id, "media_id": media_id})
            row = found.one_or_none()
        if row is None:
            return None
        return MediaRow(
            media_id=row.media_id,
            message_id=row.message_id,
            chat=row.chat,
            media=read_media(row.media),
            file_name=row.file_name,
            reference=row.reference,
            thumbnail=row.thumbnail,
        )

    async def waiting(self, session_ids: Collection[str], *, limit: int) -> Sequence[Waiting]:
        """Return files that are to be fetched: the oldest of each session, then the next ones."""
        async with self._database.statement("looking for files to fetch") as connection:
            found = await connection.execute(
                _WAITING, {"session_ids": list(session_ids), "limit": limit}
            )
            rows = found.all()
        return [Waiting(session_id=row.session_id, media_id=row.media_id) for row in rows]

    async def aged(self, *, keep_seconds: float, limit: int) -> Sequence[Aged]:
        """Return files that came longer ago than that, the oldest first."""
        async with self._database.statement("looking for old files") as connection:
            found = await connection.execute(_AGED, {"keep_seconds": keep_seconds, "limit": limit})
            rows = found.all()
        return [
            Aged(
                session_id=row.session_id,
                media_id=row.media_id,
                keys=_keys(row.session_id, row.sha256) if row.sha256 and row.is_alone else (),
            )
            for row in rows
        ]

    async def forget(self, files: Sequence[Aged]) -> None:
        """Delete their rows."""
        if not files:
            return
        values = {
            "session_ids": [each.session_id for each in files],
            "media_ids": [each.media_id for each in files],
        }
        async with self._database.statement("deleting old files' rows") as connection:
            await connection.execute(_FORGET, values)


def _keys(session_id: str, sha256: str) -> tuple[str, ...]:
    key = key_of(session_id, sha256)
    return key, thumbnail_key_of(key)
