"""The workers table: who is there, and until when it may be believed."""

from sqlalchemy import text

from gateway_worker.storage.db.database import Database

_REGISTER = text("""
    INSERT INTO workers (id, version, capacity, lease_expires_at)
    VALUES (:id, :version, :capacity,
        now() + make_interval(secs => CAST(:lease_seconds AS float8)))
    ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version, capacity = EXCLUDED.capacity,
        started_at = now(), heartbeat_at = now(), lease_expires_at = EXCLUDED.lease_expires_at
""")
_BEAT = text("""
    UPDATE workers SET heartbeat_at = now(),
        lease_expires_at = now() + make_interval(secs => CAST(:lease_seconds AS float8))
    WHERE id = :id RETURNING id
""")
_LEAVE = text("UPDATE workers SET lease_expires_at = now() WHERE id = :id")


class PostgresWorkerStore:
    """Keeps one worker's row. Leases count by the database's clock.

    Args:
        database: Where the table is.
        worker_id: This worker.
        lease_seconds: How long after a beat the worker counts as alive.
    """

    def __init__(self, *, database: Database, worker_id: str, lease_seconds: float = 15.0) -> None:
        self._database = database
        self._worker_id = worker_id
        self._lease_seconds = lease_seconds

    async def register(self, *, version: str, capacity: int) -> None:
        """Enter this worker, or enter it anew after a restart. Raises `DependencyError`."""
        values = {
            "id": self._worker_id,
            "version": version,
            "capacity": capacity,
            "lease_seconds": self._lease_seconds,
        }
        async with self._database.statement("registering the worker") as connection:
            await connection.execute(_REGISTER, values)

    async def beat(self) -> bool:
        """Renew the lease; False if the worker has no row (any more). Raises `DependencyError`."""
        values = {"id": self._worker_id, "lease_seconds": self._lease_seconds}
        async with self._database.statement("renewing the worker's lease") as connection:
            return await connection.scalar(_BEAT, values) is not None

    async def leave(self) -> None:
        """End the lease now, in good order. Raises `DependencyError`; idempotent."""
        async with self._database.statement("ending the worker's lease") as connection:
            await connection.execute(_LEAVE, {"id": self._worker_id})
