"""The sessions table: creation, look-up and ownership. Its other columns change in `changes`."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, text

from gateway_contracts import SessionState
from gateway_worker.sessions.changes import DesiredState
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.documents import (
    mapping_text,
    model_text,
    read_account,
    read_pairing,
)

_COLUMNS = """id, state, desired, pairing, device_name, labels, account, worker_id, epoch,
    created_at, tenant_id"""
_CREATE = text(f"""
    INSERT INTO sessions
        (id, state, desired, pairing, device_name, labels, account, worker_id, epoch, created_at,
        tenant_id)
    VALUES (:id, :state, :desired, CAST(CAST(:pairing AS text) AS jsonb), :device_name,
        CAST(CAST(:labels AS text) AS jsonb), CAST(CAST(:account AS text) AS jsonb),
        CAST(:worker_id AS text), 1, :created_at, CAST(:tenant_id AS text))
    ON CONFLICT (id) DO NOTHING
    RETURNING {_COLUMNS}
""")  # noqa: S608 - constant columns
_GET = text(f"SELECT {_COLUMNS} FROM sessions WHERE id = :id")  # noqa: S608
_OWNED = text(f"""
    SELECT {_COLUMNS} FROM sessions WHERE worker_id = :worker_id ORDER BY created_at, id
""")  # noqa: S608
_CLAIM = text(f"""
    UPDATE sessions SET worker_id = CAST(:worker_id AS text), epoch = epoch + 1, updated_at = now()
    WHERE id = :id AND (worker_id IS NULL OR worker_id = CAST(:worker_id AS text))
    RETURNING {_COLUMNS}
""")  # noqa: S608


class PostgresSessionStore:
    """Creates, finds and claims sessions (the sessions' `SessionStore`).

    Args:
        database: Where the table is.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def create(self, row: SessionRow) -> SessionRow | None:
        """Insert a session owned by `row.worker_id` with epoch 1; None if the id is taken.

        Raises:
            DependencyError: It is not known whether the session exists now.
        """
        return await self._one(
            "creating a session",
            _CREATE,
            {
                "id": row.session_id,
                "state": row.state.value,
                "desired": row.desired.value,
                "pairing": model_text(row.pairing),
                "device_name": row.device_name,
                "labels": mapping_text(row.labels),
                "account": row.account and model_text(row.account),
                "worker_id": row.worker_id,
                "created_at": row.created_at,
                "tenant_id": row.tenant_id,
            },
        )

    async def get(self, session_id: str) -> SessionRow | None:
        """Return a session or None. Raises `DependencyError`."""
        return await self._one("reading a session", _GET, {"id": session_id})

    async def owned_by(self, worker_id: str) -> Sequence[SessionRow]:
        """Return the sessions that this worker owns, the oldest first. Raises `DependencyError`."""
        async with self._database.statement("reading a worker's sessions") as connection:
            found = await connection.execute(_OWNED, {"worker_id": worker_id})
        return [_session_row(row) for row in found.mappings()]

    async def claim(self, session_id: str, worker_id: str) -> SessionRow | None:
        """Take a session that nobody else owns, raising its epoch; None if another has it.

        None too if there is no such session. Whatever the owner before still has on its way is
        fenced off from here on.

        Raises:
            DependencyError: It is not known whether the session is claimed; claim it again.
        """
        return await self._one(
            "claiming a session", _CLAIM, {"id": session_id, "worker_id": worker_id}
        )

    async def _one(self, doing: str, statement: Any, values: dict[str, Any]) -> SessionRow | None:
        async with self._database.statement(doing) as connection:
            row = (await connection.execute(statement, values)).mappings().one_or_none()
        return None if row is None else _session_row(row)


def _session_row(row: RowMapping) -> SessionRow:
    return SessionRow(
        session_id=row["id"],
        state=SessionState(row["state"]),
        desired=DesiredState(row["desired"]),
        pairing=read_pairing(row["pairing"]),
        device_name=row["device_name"],
        labels=row["labels"],
        account=read_account(row["account"]),
        worker_id=row["worker_id"],
        epoch=row["epoch"],
        created_at=row["created_at"],
        tenant_id=row["tenant_id"],
    )
