"""The sessions of the fleet, page by page, for whoever wants to compare them with its own list."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text

from gateway_contracts import SessionState
from gateway_worker.sessions.ports import SessionEntry, SessionFilter
from gateway_worker.sessions.session.transitions import is_running
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.documents import mapping_text
from gateway_worker.storage.db.leases import ENDED
from gateway_worker.storage.db.session_rows import COLUMNS, session_row

_RUNNING: Final = ", ".join(f"'{state.value}'" for state in SessionState if is_running(state))
_STATE: Final = f"CASE WHEN lost AND state IN ({_RUNNING}) THEN 'reconnecting' ELSE state END"
_PAGE: Final = text(f"""
    SELECT * FROM (
        SELECT {COLUMNS}, worker_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM workers AS w WHERE w.id = sessions.worker_id AND NOT {ENDED}
        ) AS lost
        FROM sessions
        WHERE id > :after AND labels @> CAST(:labels AS jsonb)
            AND (CAST(:tenant AS text) IS NULL OR split_part(id, '.', 1) = CAST(:tenant AS text)
                AND position('.' IN id) > 0)
            AND (CAST(:worker AS text) IS NULL OR worker_id = CAST(:worker AS text))
    ) AS found
    WHERE CAST(:states AS text[]) = '{{}}' OR {_STATE} = ANY(CAST(:states AS text[]))
    ORDER BY id LIMIT CAST(:limit AS bigint)
""")  # noqa: S608 - constant terms
"""By the primary key: whoever reads on from the last id sees each session once."""


class PostgresSessionCatalog:
    """Lists sessions (the sessions' `SessionCatalog`).

    Args:
        database: Where they are.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def page(
        self, wanted: SessionFilter, *, after: str, limit: int
    ) -> Sequence[SessionEntry]:
        """Return the first sessions after a name, in the order of names.

        Raises:
            DependencyError: As it says.
        """
        values = {
            "after": after,
            "limit": limit,
            "labels": mapping_text(wanted.labels),
            "worker": wanted.worker_id,
            "tenant": wanted.tenant,
            "states": [state.value for state in wanted.states],
        }
        async with self._database.statement("listing sessions") as connection:
            found = await connection.execute(_PAGE, values)
        return [SessionEntry(row=session_row(row), is_lost=row["lost"]) for row in found.mappings()]
