"""The sessions table: creation, look-up and ownership. Its other columns change in `changes`."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from gateway_contracts.tenants import tenant_of
from gateway_worker.errors import QuotaExceededError
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.storage.db.database import Database
from gateway_worker.storage.db.documents import mapping_text, model_text
from gateway_worker.storage.db.leases import LIVE, TAKES_MORE
from gateway_worker.storage.db.session_rows import COLUMNS, session_row
from gateway_worker.storage.db.takeover import MOVE_EVENTS, ORPHANED, STRANDED, take_over

_CREATE = """
    INSERT INTO sessions
        (id, state, desired, pairing, device_name, labels, account, worker_id, epoch, created_at,
        tenant_id, metadata, settings)
    VALUES ($1::text, $2::text, $3::text, $4::text::jsonb, $5::text, $6::text::jsonb,
        $7::text::jsonb, $8::text, 1, $9::timestamptz, $10::text, $11::text::jsonb,
        $12::text::jsonb)
    ON CONFLICT (id) DO NOTHING
    RETURNING id
"""
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7449356))"
"""$1 a tenant: of two workers that create sessions of one, the second counts the first one's."""
_OTHERS = "SELECT count(*) FROM sessions WHERE id LIKE $1::text || '.%' AND id <> $2::text"
"""$1 a tenant; $2 the session that is to be created."""
_GO_ON = f"""
    WITH former AS (SELECT epoch AS last_epoch, last_sequence AS reached
        FROM former_sessions WHERE id = $1)
    UPDATE sessions SET
        epoch = coalesce((SELECT last_epoch FROM former), 0) + 1,
        first_epoch = coalesce((SELECT last_epoch FROM former), 0) + 1,
        last_sequence = coalesce((SELECT reached FROM former), 0)
    WHERE id = $1
    RETURNING {COLUMNS}
"""  # noqa: S608 - constant columns
"""A statement of its own: the one before may have waited for the end of a namesake's deletion, and
only a later one sees what that has left."""
_GET = f"SELECT {COLUMNS} FROM sessions WHERE id = $1::text"  # noqa: S608
"""Asked for each command that waits when its session moves."""
_WAS_DELETED = text("SELECT EXISTS (SELECT FROM former_sessions WHERE id = :id)")
_OWNED = text(f"""
    SELECT {COLUMNS} FROM sessions WHERE worker_id = :worker_id ORDER BY created_at, id
""")  # noqa: S608
_CLAIM = text(f"""
    UPDATE sessions SET worker_id = CAST(:worker_id AS text), epoch = epoch + 1, updated_at = now()
    WHERE id = :id AND (worker_id IS NULL OR worker_id = CAST(:worker_id AS text))
    RETURNING {COLUMNS}
""")  # noqa: S608
_MARKER_LEFT = text("""
    UPDATE sessions SET updated_at = now(), pending = (
        SELECT jsonb_agg(
            CASE WHEN CAST(marker ->> 'epoch' AS bigint) = CAST(:marker_epoch AS bigint)
                THEN marker || '{"left": true}'::jsonb ELSE marker END
            ORDER BY place)
        FROM jsonb_array_elements(pending) WITH ORDINALITY AS given(marker, place)
    )
    WHERE id = :id AND pending @> jsonb_build_array(
        jsonb_build_object('epoch', CAST(:marker_epoch AS bigint)))
""")
_MARKERS_PASSED = text("""
    UPDATE sessions SET updated_at = now(), pending = (
        SELECT coalesce(jsonb_agg(marker ORDER BY place), '[]'::jsonb)
        FROM jsonb_array_elements(pending) WITH ORDINALITY AS given(marker, place)
        WHERE CAST(marker ->> 'epoch' AS bigint) > CAST(:up_to AS bigint)
    )
    WHERE id = :id AND epoch = CAST(:epoch AS bigint) RETURNING id
""")
_ORPHANS = f"SELECT count(*) {ORPHANED}"
_STRANDED = text(f"""
    SELECT {COLUMNS} FROM sessions WHERE id IN ({STRANDED})
    ORDER BY id LIMIT CAST(:limit AS bigint)
""")  # noqa: S608
_STRAND = text(f"""
    SELECT {COLUMNS} FROM sessions WHERE id = :id AND id IN ({STRANDED} AND s.id = :id) FOR UPDATE
""")  # noqa: S608
_IS_FIRST = text(f"SELECT min(id) = :id FROM workers AS w WHERE {LIVE}")  # noqa: S608
_LOADS = f"""
    SELECT w.id, w.capacity, count(s.id) AS held,
        w.lease_expires_at > now() + make_interval(secs => w.lease_seconds / 2) AS renewed
    FROM workers AS w LEFT JOIN sessions AS s ON s.worker_id = w.id
    WHERE {TAKES_MORE} GROUP BY w.id
"""  # noqa: S608
_PLACE = text(f"""
    SELECT id FROM ({_LOADS}) AS loads WHERE held < capacity AND id <> :without
    ORDER BY renewed DESC, held / CAST(capacity AS float8), held, id LIMIT 1
""")  # noqa: S608
_TAKES = text(f"SELECT id FROM ({_LOADS}) AS loads WHERE held < capacity AND id = :id")  # noqa: S608
_FAIR_SHARE = text(f"""
    WITH takers AS (SELECT * FROM ({_LOADS}) AS loads WHERE renewed)
    SELECT ceil((fleet.held + orphans.held) * mine.capacity / nullif(fleet.capacity, 0)) - mine.held
    FROM (SELECT sum(held) AS held, sum(capacity) AS capacity FROM takers) AS fleet,
        (SELECT count(*) AS held {ORPHANED}) AS orphans, takers AS mine
    WHERE mine.id = :id
""")  # noqa: S608
_ROOM = text(f"SELECT sum(greatest(capacity - held, 0)) FROM ({_LOADS}) AS loads")  # noqa: S608


class PostgresSessionStore:
    """Creates, finds and claims sessions (the sessions' `SessionStore`).

    Args:
        database: Where the table is.
        most_per_tenant: How many sessions one tenant may have; 0: any number.
    """

    def __init__(self, *, database: Database, most_per_tenant: int = 0) -> None:
        self._database = database
        self._most_per_tenant = most_per_tenant

    async def create(self, row: SessionRow) -> SessionRow | None:
        """Insert a session owned by `row.worker_id`; None if the id is taken.

        Epochs and sequence numbers go on where a deleted session of the same name had ended.

        Raises:
            DependencyError: It is not known whether the session exists now.
            QuotaExceededError: Its tenant has as many as it may have.
        """
        tenant = tenant_of(row.session_id) if self._most_per_tenant else None
        async with self._database.transaction("creating a session") as connection:
            if tenant is not None:
                await connection.execute(_ONE_AT_A_TIME, tenant)
                others = await connection.fetchval(_OTHERS, tenant, row.session_id)
                if others >= self._most_per_tenant:
                    raise QuotaExceededError(
                        f"the tenant has {self._most_per_tenant} sessions, and may have no more"
                    )
            created = await connection.fetchval(
                _CREATE,
                row.session_id,
                row.state.value,
                row.desired.value,
                model_text(row.pairing),
                row.device_name,
                mapping_text(row.labels),
                row.account and model_text(row.account),
                row.worker_id,
                row.created_at,
                row.tenant_id,
                mapping_text(row.metadata),
                model_text(row.settings),
            )
            if created is None:
                return None
            found = await connection.fetchrow(_GO_ON, row.session_id)
        assert found is not None
        return session_row(dict(found))

    async def get(self, session_id: str) -> SessionRow | None:
        """Return a session or None. Raises `DependencyError`."""
        async with self._database.direct("reading a session") as connection:
            found = await connection.fetchrow(_GET, session_id)
        return None if found is None else session_row(dict(found))

    async def was_deleted(self, session_id: str) -> bool:
        """Whether a session of this name has been deleted. Raises `DependencyError`."""
        async with self._database.statement("looking for a deleted session") as connection:
            return bool(await connection.scalar(_WAS_DELETED, {"id": session_id}))

    async def owned_by(self, worker_id: str) -> Sequence[SessionRow]:
        """Return the sessions that this worker owns, the oldest first. Raises `DependencyError`."""
        async with self._database.statement("reading a worker's sessions") as connection:
            found = await connection.execute(_OWNED, {"worker_id": worker_id})
        return [session_row(row) for row in found.mappings()]

    async def claim(self, session_id: str, worker_id: str) -> SessionRow | None:
        """Take a session that nobody else owns, raising its epoch; None if another has it.

        None too if there is no such session. Whatever the owner before still has on its way is
        fenced off from here on; what is pending stays pending.

        Raises:
            DependencyError: It is not known whether the session is claimed; claim it again.
        """
        return await self._one(
            "claiming a session", _CLAIM, {"id": session_id, "worker_id": worker_id}
        )

    async def take_over(
        self, worker_id: str, *, limit: int, linked: bool = True
    ) -> Sequence[SessionRow]:
        """Take at most `limit` sessions of workers whose lease has ended, the oldest first.

        Each gets the next epoch and one more pending marker; its unpublished events become this
        worker's. Takers that come together get different sessions. None are taken beyond the
        worker's capacity, or if its own lease is not valid, or it drains, or has only just come
        back after its lease had ended.

        Raises:
            DependencyError: It is not known whether sessions were taken; `owned_by` has them.
        """
        async with self._database.transaction("taking over sessions") as connection:
            taken = await take_over(connection, worker_id, limit=limit, linked=linked)
        return [session_row(dict(row)) for row in taken]

    async def stranded(self, *, after_seconds: float, limit: int) -> Sequence[SessionRow]:
        """Return sessions whose worker's lease ended so long ago, and that nobody has taken.

        Raises:
            DependencyError: As it says.
        """
        values = {"after": after_seconds, "limit": limit}
        async with self._database.statement("looking for stranded sessions") as connection:
            found = await connection.execute(_STRANDED, values)
        return [session_row(row) for row in found.mappings()]

    async def strand(
        self, session_id: str, worker_id: str, *, after_seconds: float
    ) -> SessionRow | None:
        """Return a session if it is stranded; its unpublished events are this worker's then.

        Raises:
            DependencyError: It is not known whose the events are; ask again.
        """
        row = await self._one(
            "looking at a stranded session", _STRAND, {"id": session_id, "after": after_seconds}
        )
        if row is not None:
            async with self._database.transaction("taking a session's events") as connection:
                await connection.execute(MOVE_EVENTS, worker_id, [session_id])
        return row

    async def is_first(self, worker_id: str) -> bool:
        """Whether this worker is the first by name of those that live. Raises `DependencyError`."""
        async with self._database.statement("asking who is the first worker") as connection:
            return bool(await connection.scalar(_IS_FIRST, {"id": worker_id}))

    async def orphans(self) -> int:
        """Return how many sessions could be taken over now. Raises `DependencyError`."""
        async with self._database.direct("counting orphaned sessions") as connection:
            return int(await connection.fetchval(_ORPHANS))

    async def fair_share(self, worker_id: str) -> int:
        """Return how many orphans would make this worker as full as the others that take some.

        Nothing for one that is late with its lease. Raises `DependencyError`.
        """
        async with self._database.statement("counting a worker's share") as connection:
            share = await connection.scalar(_FAIR_SHARE, {"id": worker_id})
        return max(0, int(share or 0))

    async def marker_left(self, session_id: str, *, marker_epoch: int) -> None:
        """Note that a marker has come out of the queue of its entry.

        Idempotent; does nothing if that marker is not pending (any more). Raises `DependencyError`.
        """
        values = {"id": session_id, "marker_epoch": marker_epoch}
        async with self._database.statement("noting a marker that left") as connection:
            await connection.execute(_MARKER_LEFT, values)

    async def markers_passed(self, session_id: str, *, epoch: int, up_to: int) -> bool:
        """Note that all markers up to `up_to` came; False if the session's epoch is not `epoch`.

        Idempotent: True also if none of them is pending (any more). Raises `DependencyError`.
        """
        values = {"id": session_id, "epoch": epoch, "up_to": up_to}
        async with self._database.statement("noting markers that came") as connection:
            return await connection.scalar(_MARKERS_PASSED, values) is not None

    async def place(self, *, without: str) -> str | None:
        """Return the live worker, other than `without`, that is the least full; None if none is.

        One that is late with its lease is the last choice. It may be full or gone when a session is
        transferred to it. Raises `DependencyError`.
        """
        async with self._database.statement("looking for a worker with room") as connection:
            found: str | None = await connection.scalar(_PLACE, {"without": without})
        return found

    async def takes(self, worker_id: str) -> bool:
        """Whether a worker has room now; it may be full or gone a moment later.

        Raises `DependencyError`.
        """
        async with self._database.statement("asking for a worker's room") as connection:
            return await connection.scalar(_TAKES, {"id": worker_id}) is not None

    async def room(self) -> int:
        """Return how many more sessions all workers can take together. Raises `DependencyError`."""
        async with self._database.statement("counting the workers' room") as connection:
            return int(await connection.scalar(_ROOM) or 0)

    async def _one(self, doing: str, statement: Any, values: dict[str, Any]) -> SessionRow | None:
        async with self._database.statement(doing) as connection:
            row = (await connection.execute(statement, values)).mappings().one_or_none()
        return None if row is None else session_row(row)
