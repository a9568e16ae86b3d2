"""Sends whose end is not known, as far as their message is not known either."""

from collections.abc import Sequence

from gateway_worker.sessions.found_sends import SENDS
from gateway_worker.storage.db.command_keys import command_id
from gateway_worker.storage.db.database import Database

_MOST = 100
_WITHOUT_MESSAGE = """
    SELECT id FROM commands
    WHERE session_id = $1::text AND type = ANY($2::text[]) AND (
        state = 'executing' OR (state = 'uncertain' AND outcome -> 'message' IS NULL)
    )
    ORDER BY received_at DESC LIMIT $3::int
"""
"""$1 a session; $2 the types of sends; $3 how many at most, the latest."""


class PostgresUncertainSends:
    """Asks the commands table (the sessions' `UncertainSends`).

    Args:
        database: Where it is.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def without_message(self, session_id: str) -> Sequence[str]:
        """Return commands whose message is not known; see the port."""
        async with self._database.direct("looking for uncertain sends") as connection:
            found = await connection.fetch(_WITHOUT_MESSAGE, session_id, list(SENDS), _MOST)
        return [command_id(key) for (key,) in found]
