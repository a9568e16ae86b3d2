"""Workers and sessions as the database has them: who lives, who holds what, what is under way."""

from contextlib import AsyncExitStack

from gateway_worker.config import Settings
from gateway_worker.ctl.output import as_json, complain, say, table
from gateway_worker.storage.db import Database
from gateway_worker.storage.db.overview import Overview, SessionLine, WorkerLine

_NOBODY = "nobody"


async def list_sessions(
    settings: Settings, *, worker: str | None, state: str | None, limit: int, json: bool
) -> int:
    """Print sessions and who has them; returns the exit code.

    Args:
        settings: The worker's.
        worker: Only those of this one.
        state: Only those in this state, or `unattended`.
        limit: At most so many.
        json: Whether JSON is printed.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(settings=settings.database))
        lines = await Overview(database=database).sessions(
            worker_id=worker, state=state, limit=limit + 1
        )
    shown = lines[:limit]
    patience = settings.stranded_seconds
    rows = [_session(line, patience) for line in shown]
    _print(rows, "there are no such sessions", json=json)
    if stranded := sum(row["runs"] == _NOBODY for row in rows):
        complain(f"{stranded} of these no worker can run: theirs is gone; see deploy/README.md")
    if len(lines) > len(shown):
        complain("more are not shown; see --limit")
    return 0


async def list_workers(settings: Settings, *, json: bool) -> int:
    """Print workers, their leases and their load; returns the exit code."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(settings=settings.database))
        lines = await Overview(database=database).workers()
    _print([_worker(line) for line in lines], "there are no workers", json=json)
    return 0


def _print(rows: list[dict[str, object]], none: str, *, json: bool) -> None:
    if json:
        say(as_json(rows))
    else:
        say(table(rows) if rows else none)


def _runs(line: SessionLine, patience_seconds: float) -> str:
    """Say whether a worker has a session, whatever the state says that was written last."""
    if line.worker_id is None:
        return "not yet"
    if line.owner_alive:
        return "yes"
    gone = line.ended_seconds is None or line.ended_seconds >= patience_seconds
    return _NOBODY if gone else "moving"


def _session(line: SessionLine, patience_seconds: float) -> dict[str, object]:
    return {
        "id": line.session_id,
        "state": line.state,
        "runs": _runs(line, patience_seconds),
        "desired": line.desired,
        "worker": line.worker_id,
        "lease": _lease(alive=line.owner_alive),
        "epoch": line.epoch,
        "pending": line.pending,
        "unpublished": line.unpublished,
        "last_state": line.last_state,
    }


def _worker(line: WorkerLine) -> dict[str, object]:
    return {
        "id": line.worker_id,
        "version": line.version,
        "lease": _lease(alive=line.lease_seconds > 0),
        "lease_seconds": round(line.lease_seconds, 1),
        "draining": "yes" if line.draining else "no",
        "sessions": line.sessions,
        "capacity": line.capacity,
        "started_at": line.started_at,
    }


def _lease(*, alive: bool) -> str:
    return "valid" if alive else "ended"
