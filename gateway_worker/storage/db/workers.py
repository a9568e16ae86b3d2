"""The workers table: who is there, until when it may be believed, and who is gone."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway_worker.errors import ConfigurationError
from gateway_worker.sessions.ownership.ports import KnownDisk, LinkedSession
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.leases import ENDED, LOCK_ROOM

_REGISTER = text("""
    INSERT INTO workers AS w
        (id, version, capacity, lease_expires_at, lease_seconds, incarnation, disk_id)
    VALUES (:id, :version, :capacity,
        now() + make_interval(secs => CAST(:lease_seconds AS float8)), :lease_seconds, :incarnation,
        CAST(:disk_id AS uuid))
    ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version, capacity = EXCLUDED.capacity,
        started_at = now(), heartbeat_at = now(), lease_expires_at = EXCLUDED.lease_expires_at,
        lease_seconds = EXCLUDED.lease_seconds, incarnation = EXCLUDED.incarnation,
        draining = false, resumed_at = NULL, disk_id = EXCLUDED.disk_id
    WHERE w.lease_expires_at <= now() OR w.disk_id IS NULL OR w.disk_id = EXCLUDED.disk_id
        OR w.incarnation IS NOT DISTINCT FROM CAST(:before AS uuid)
    RETURNING id
""")
_DISK = text("""
    SELECT disk_id,
        CAST(extract(epoch FROM lease_expires_at - clock_timestamp()) AS float8) AS lease_seconds,
        concat(incarnation, ' ', lease_expires_at) AS renewals
    FROM workers WHERE id = :id
""")
_LINKED = text("""
    SELECT s.id, c.newest IS NOT NULL AS is_copied
    FROM sessions AS s LEFT JOIN snapshots AS c ON c.session_id = s.id
    WHERE s.worker_id = :id AND s.account IS NOT NULL ORDER BY s.id
""")
_FORGET_DISK = text("UPDATE workers SET disk_id = NULL WHERE id = :id RETURNING id")
_RENEW = text("""
    UPDATE workers SET heartbeat_at = now(),
        resumed_at = CASE WHEN lease_expires_at <= now() THEN now() ELSE resumed_at END,
        lease_expires_at = now() + make_interval(secs => CAST(:lease_seconds AS float8))
    WHERE id = :id AND incarnation = :incarnation RETURNING id
""")
_ALIVE = text("SELECT id FROM workers WHERE lease_expires_at > now() ORDER BY id")
_DRAIN = "UPDATE workers SET draining = true WHERE id = $1 AND incarnation = $2"
_LEAVE = text("""
    UPDATE workers SET lease_expires_at = least(lease_expires_at, now())
    WHERE id = :id AND incarnation = :incarnation
""")
_LEFTOVERS = f"""
    SELECT found.id FROM (
        SELECT marker ->> 'queue_of' AS id
        FROM sessions, jsonb_array_elements(pending) AS marker WHERE pending <> '[]'::jsonb
        UNION SELECT worker_id FROM sessions WHERE worker_id IS NOT NULL
        UNION SELECT id FROM workers WHERE lease_expires_at > now() - interval '1 hour'
    ) AS found
    WHERE NOT EXISTS (SELECT FROM workers w WHERE w.id = found.id AND NOT ({ENDED}))
    ORDER BY found.id
"""  # noqa: S608 - constant terms
_LONG_GONE = """
    w.lease_expires_at < now() - interval '1 day'
        AND NOT EXISTS (SELECT FROM sessions s WHERE s.worker_id = w.id)
        AND NOT EXISTS (
            SELECT FROM outbox o WHERE o.worker_id = w.id AND o.published_at IS NULL)
        AND NOT EXISTS (
            SELECT FROM sessions s WHERE s.pending <> '[]'::jsonb
                AND s.pending @> jsonb_build_array(jsonb_build_object('queue_of', w.id)))
"""
_NAME_LONG_GONE = text(
    f"SELECT w.id FROM workers AS w WHERE {_LONG_GONE} ORDER BY w.id"  # noqa: S608
)
_FORGET = text(
    f"DELETE FROM workers AS w WHERE w.id = :id AND {_LONG_GONE} RETURNING w.id"  # noqa: S608
)


async def alive_workers(database: Database) -> Sequence[str]:
    """Return the workers whose leases have not ended. Raises `DependencyError`."""
    async with database.statement("looking for workers") as connection:
        return (await connection.scalars(_ALIVE)).all()


class PostgresWorkerStore:
    """Keeps one worker's row and looks at the others'. Leases count by the database's clock.

    The row has the incarnation of the process that has registered last. Another process of the same
    name thereby ends this one's: it can no longer renew.

    Args:
        database: Where the table is.
        worker_id: This worker.
        lease_seconds: How long after a renewal the worker counts as alive.
        disk_id: The disk that it runs on; None if that does not matter.
    """

    def __init__(
        self,
        *,
        database: Database,
        worker_id: str,
        lease_seconds: float = 15.0,
        disk_id: str | None = None,
    ) -> None:
        self._disk_id = disk_id
        self._database = database
        self._worker_id = worker_id
        self._lease_seconds = lease_seconds
        self._incarnation: UUID | None = None

    @property
    def lease_seconds(self) -> float:
        """How long after a renewal the worker counts as alive."""
        return self._lease_seconds

    async def register(self, *, version: str, capacity: int) -> None:
        """Enter this worker, or enter it anew after a restart, as a new incarnation.

        Raises:
            ConfigurationError: One of its name is alive on another disk.
            DependencyError: The worker may or may not be entered; register again.
        """
        before, self._incarnation = self._incarnation, uuid4()
        values = {
            "id": self._worker_id,
            "version": version,
            "capacity": capacity,
            "lease_seconds": self._lease_seconds,
            "incarnation": self._incarnation,
            "before": before,
            "disk_id": self._disk_id,
        }
        async with self._database.statement("registering the worker") as connection:
            entered = await connection.scalar(_REGISTER, values)
        if entered is None:
            raise ConfigurationError(
                f"WORKER_ID: the worker {self._worker_id} is running with another DATA_DIR: give"
                " each worker a name of its own"
            )

    async def renew(self) -> bool:
        """Renew the lease, also one that has ended.

        Returns:
            False if another process has registered under this name, or the row is gone.

        Raises:
            DependencyError: The lease may or may not be renewed; it counts from before the call.
        """
        if self._incarnation is None:
            return False
        values = {**self._me(), "lease_seconds": self._lease_seconds}
        async with self._database.statement("renewing the worker's lease") as connection:
            return await connection.scalar(_RENEW, values) is not None

    beat = renew

    async def drain(self) -> None:
        """Take on no more sessions until the next registration.

        When this returns, none is on its way here any more: `owned_by` has them all. Raises
        `DependencyError`; idempotent.
        """
        async with self._database.transaction("draining the worker") as connection:
            await connection.execute(LOCK_ROOM, self._worker_id)
            await connection.execute(_DRAIN, self._worker_id, self._incarnation)

    async def leave(self) -> None:
        """End the lease now, in good order; only this incarnation's. Raises `DependencyError`."""
        async with self._database.statement("ending the worker's lease") as connection:
            await connection.execute(_LEAVE, self._me())

    async def dead_with_leftovers(self) -> Sequence[str]:
        """Return the workers that are gone but in whose queues there may still be something.

        Those that a pending marker names, and those gone for less than an hour, by their ids. While
        a database that has just started waits for renewals, nobody is. Raises `DependencyError`.
        """
        async with self._database.direct("looking for dead workers") as connection:
            return [worker_id for (worker_id,) in await connection.fetch(_LEFTOVERS)]

    async def long_gone(self) -> Sequence[str]:
        """Return the workers that are gone for a day and have nothing left, by their ids.

        Neither sessions nor unpublished events nor a pending marker. Raises `DependencyError`.
        """
        async with self._database.statement("looking for workers long gone") as connection:
            return (await connection.scalars(_NAME_LONG_GONE)).all()

    async def forget(self, worker_id: str) -> bool:
        """Delete the row of such a worker; False if it is none any more.

        Raises `DependencyError`.
        """
        async with self._database.statement("forgetting a worker") as connection:
            return await connection.scalar(_FORGET, {"id": worker_id}) is not None

    async def known_disk(self) -> KnownDisk:
        """Return where the worker of this name ran last. Raises `DependencyError`."""
        async with self._database.statement("asking for the worker's disk") as connection:
            row = (await connection.execute(_DISK, {"id": self._worker_id})).one_or_none()
        if row is None:
            return KnownDisk()
        return KnownDisk(
            disk_id=None if row.disk_id is None else str(row.disk_id),
            lease_seconds=row.lease_seconds,
            renewals=row.renewals,
        )

    async def linked_sessions(self) -> Sequence[LinkedSession]:
        """Return its sessions that have an account, by their ids. Raises `DependencyError`."""
        async with self._database.statement("asking for the worker's accounts") as connection:
            found = await connection.execute(_LINKED, {"id": self._worker_id})
        return [LinkedSession(session_id=row.id, is_copied=row.is_copied) for row in found]

    async def forget_disk(self) -> bool:
        """Note that its disk is lost for good; False if there is no such worker.

        Raises:
            DependencyError: It is not known whether that is noted.
        """
        async with self._database.statement("forgetting the worker's disk") as connection:
            return await connection.scalar(_FORGET_DISK, {"id": self._worker_id}) is not None

    def _me(self) -> dict[str, object]:
        return {"id": self._worker_id, "incarnation": self._incarnation}
