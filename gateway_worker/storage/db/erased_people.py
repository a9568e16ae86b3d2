"""Who was erased from a session, and when, so that no history brings back what was before.

Only a hash of each id is kept, another one for each session. It keeps ids from whoever reads the
table, not from somebody who tries all numbers there are. A mark goes with its session.
"""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from gateway_worker.storage.db.database import Database

_MARK: Final = """
    INSERT INTO erased_people (session_id, person, erased_at)
    SELECT $1::text, person, now() FROM unnest($2::bytea[]) AS person
    ON CONFLICT (session_id, person) DO UPDATE SET erased_at = EXCLUDED.erased_at
"""
_FIND: Final = """
    SELECT person, erased_at FROM erased_people
    WHERE session_id = $1::text AND person = ANY($2::bytea[])
"""
"""$1 a session; $2 people, by their hashes."""


async def mark_erased(database: Database, session_id: str, ids: Collection[str]) -> None:
    """Note that the people with these ids are erased now.

    Raises:
        DependencyError: Nothing is noted.
    """
    people = sorted({_hash(session_id, one) for one in ids})
    async with database.direct("noting who is erased") as connection:
        await connection.execute(_MARK, session_id, people)


async def find_erased(
    database: Database, session_id: str, ids: Collection[str]
) -> Mapping[str, datetime]:
    """Return which of the ids are of people who were erased, and when that was last.

    Raises:
        DependencyError: The database cannot be asked.
    """
    known = {_hash(session_id, one): one for one in ids}
    async with database.direct("looking for erased people") as connection:
        found = await connection.fetch(_FIND, session_id, list(known))
    return {known[bytes(row["person"])]: row["erased_at"] for row in found}


def _hash(session_id: str, one: str) -> bytes:
    return hashlib.sha256(f"{session_id} {one}".encode()).digest()
