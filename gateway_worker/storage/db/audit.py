"""Who has asked for what, and what became of it: the commands without anything that is in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text

from gateway_contracts.tenants import tenant_of
from gateway_worker.storage.db.command_keys import command_id
from gateway_worker.storage.db.database import Database

_COMMANDS: Final = text("""
    SELECT id, session_id, type, state, outcome -> 'error' ->> 'code' AS code, worker_id,
        received_at, finished_at
    FROM commands
    WHERE (CAST(:tenant AS text) IS NULL OR session_id LIKE CAST(:tenant AS text) || '.%')
        AND (CAST(:session_id AS text) IS NULL OR session_id = CAST(:session_id AS text))
        AND (CAST(:type AS text) IS NULL OR type LIKE 'wa.' || CAST(:type AS text) || '.v%')
        AND (CAST(:since AS timestamptz) IS NULL OR received_at >= CAST(:since AS timestamptz))
    ORDER BY received_at DESC, id LIMIT CAST(:limit AS bigint)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One command.

    Attributes:
        owner: The tenant whose it is; None in a fleet without tenants.
        session_id: For which session.
        command_type: What was asked for, as `message.send`.
        command_id: Its id.
        outcome: `succeeded`, the code of its error, or how far it is.
        worker_id: Which worker had it last.
        received_at: When it came.
        finished_at: When it had its outcome.
    """

    owner: str | None
    session_id: str
    command_type: str
    command_id: str
    outcome: str
    worker_id: str | None
    received_at: datetime
    finished_at: datetime | None


class Audit:
    """Reads the commands table, for as long as that is kept (`COMMAND_RETENTION_DAYS`).

    Args:
        database: Where it is.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def commands(
        self,
        *,
        tenant: str | None = None,
        session_id: str | None = None,
        command_type: str | None = None,
        since: datetime | None = None,
        limit: int,
    ) -> Sequence[AuditLine]:
        """Return commands, the latest first. Raises `DependencyError`.

        Args:
            tenant: Only of this one's sessions.
            session_id: Only of this one.
            command_type: Only of this type, as `message.send`.
            since: Only those that came then or later.
            limit: How many at most.
        """
        values = {
            "tenant": tenant,
            "session_id": session_id,
            "type": command_type,
            "since": since,
            "limit": limit,
        }
        async with self._database.statement("listing commands") as connection:
            found = await connection.execute(_COMMANDS, values)
        return [
            AuditLine(
                owner=tenant_of(row.session_id),
                session_id=row.session_id,
                command_type=row.type.removeprefix("wa.").rpartition(".")[0],
                command_id=command_id(row.id),
                outcome=row.code or row.state,
                worker_id=row.worker_id,
                received_at=row.received_at,
                finished_at=row.finished_at,
            )
            for row in found
        ]
