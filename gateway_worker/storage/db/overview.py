"""What an operator may want to see of workers and sessions, in one look each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.leases import LIVE

UNATTENDED = "unattended"
"""Instead of a state that only a living worker can vouch for."""
_SESSIONS = text(f"""
    WITH s AS (
        SELECT *, CASE WHEN owner_alive OR last_state NOT IN (
                'pairing', 'connecting', 'connected', 'reconnecting'
            ) THEN last_state ELSE '{UNATTENDED}' END AS state
        FROM (
            SELECT id, state AS last_state, desired, worker_id, epoch, pending, coalesce(
                (SELECT {LIVE} FROM workers w WHERE w.id = sessions.worker_id), false
            ) AS owner_alive
            FROM sessions
        ) one
    )
    SELECT s.id, s.state, s.last_state, s.desired, s.worker_id, s.epoch, s.owner_alive,
        (SELECT CAST(extract(epoch FROM clock_timestamp() - w.lease_expires_at) AS float8)
            FROM workers w WHERE w.id = s.worker_id) AS ended_seconds,
        jsonb_array_length(s.pending) AS pending,
        (SELECT count(*) FROM outbox o
            WHERE o.session_id = s.id AND o.published_at IS NULL) AS unpublished
    FROM s
    WHERE (CAST(:worker_id AS text) IS NULL OR s.worker_id = CAST(:worker_id AS text))
        AND (CAST(:state AS text) IS NULL OR s.state = CAST(:state AS text))
    ORDER BY s.id LIMIT CAST(:limit AS bigint)
""")  # noqa: S608 - constant terms
_WORKERS = text("""
    SELECT w.id, w.version, w.capacity, w.started_at, w.draining,
        CAST(extract(epoch FROM w.lease_expires_at - clock_timestamp()) AS float8) AS lease_seconds,
        (SELECT count(*) FROM sessions s WHERE s.worker_id = w.id) AS sessions
    FROM workers w ORDER BY w.id
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLine:
    """A session and its owner.

    Attributes:
        session_id: Which.
        state: Where it stands; `unattended` if it was on its way or connected, by the last word of
            an owner that is gone.
        last_state: That last word.
        desired: What its backend wants of it.
        worker_id: Its last owner.
        owner_alive: Whether that one's lease is valid.
        ended_seconds: How long ago it ended; None if nothing is known of that worker any more.
        epoch: How often it has changed its owner, or its owner has started again.
        pending: Changes of owner after which older commands may still be on their way.
        unpublished: Events that the broker has not confirmed.
    """

    session_id: str
    state: str
    last_state: str
    desired: str
    worker_id: str | None
    owner_alive: bool
    ended_seconds: float | None
    epoch: int
    pending: int
    unpublished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLine:
    """A worker and its load; `lease_seconds` is what is left of the lease, negative if it ended."""

    worker_id: str
    version: str
    capacity: int
    sessions: int
    draining: bool
    lease_seconds: float
    started_at: datetime


class Overview:
    """Reads what there is, for people; nothing is locked.

    Args:
        database: Where the tables are.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def sessions(
        self, *, worker_id: str | None = None, state: str | None = None, limit: int
    ) -> Sequence[SessionLine]:
        """Return sessions by their ids. Raises `DependencyError`."""
        values = {"worker_id": worker_id, "state": state, "limit": limit}
        async with self._database.statement("listing sessions") as connection:
            found = await connection.execute(_SESSIONS, values)
        return [
            SessionLine(
                session_id=row.id,
                state=row.state,
                last_state=row.last_state,
                desired=row.desired,
                worker_id=row.worker_id,
                owner_alive=row.owner_alive,
                ended_seconds=row.ended_seconds,
                epoch=row.epoch,
                pending=row.pending,
                unpublished=row.unpublished,
            )
            for row in found
        ]

    async def workers(self) -> Sequence[WorkerLine]:
        """Return the workers by their ids, also those that are gone. Raises `DependencyError`."""
        async with self._database.statement("listing workers") as connection:
            found = await connection.execute(_WORKERS)
        return [
            WorkerLine(
                worker_id=row.id,
                version=row.version,
                capacity=row.capacity,
                sessions=row.sessions,
                draining=row.draining,
                lease_seconds=row.lease_seconds,
                started_at=row.started_at,
            )
            for row in found
        ]
