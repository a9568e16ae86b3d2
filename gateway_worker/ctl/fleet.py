"""Workers and sessions as the database has them: who lives, who holds what, what is under way."""

import argparse
from contextlib import AsyncExitStack
from typing import Any

from gateway_contracts import SessionState
from gateway_worker.config import Settings
from gateway_worker.ctl.output import as_json, complain, say, table
from gateway_worker.storage.db import Database
from gateway_worker.storage.db.overview import UNATTENDED, Overview, SessionLine, WorkerLine

LISTED = 1000
_NOBODY = "nobody"


def add_arguments(groups: Any) -> None:
    """Add `sessions` and `workers`."""
    sessions = groups.add_parser("sessions", help="list the sessions and their owners")
    states = [*SessionState, UNATTENDED]
    sessions.add_argument("--worker", metavar="ID", help="only those of this worker")
    sessions.add_argument(
        "--state",
        choices=states,
        metavar="STATE",
        help=f"only those in this state: {', '.join(states)} (the last: without a worker)",
    )
    sessions.add_argument(
        "--limit", type=_number, default=LISTED, metavar="N", help=f"at most (default: {LISTED})"
    )
    sessions.set_defaults(action=_sessions)
    workers = groups.add_parser("workers", help="list the workers, their leases and their load")
    workers.set_defaults(action=_workers)
    for parser in (sessions, workers):
        parser.add_argument("--json", action="store_true", help="print JSON for programs")


def _number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("a number above 0 is expected")
    return number


async def _sessions(settings: Settings, arguments: argparse.Namespace) -> int:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(settings=settings.database))
        lines = await Overview(database=database).sessions(
            worker_id=arguments.worker, state=arguments.state, limit=arguments.limit + 1
        )
    shown = lines[: arguments.limit]
    patience = settings.stranded_seconds
    rows = [_session(line, patience) for line in shown]
    _print(rows, "there are no such sessions", arguments)
    if stranded := sum(row["runs"] == _NOBODY for row in rows):
        complain(f"{stranded} of these no worker can run: theirs is gone; see the README")
    if len(lines) > len(shown):
        complain("more are not shown; see --limit")
    return 0


async def _workers(settings: Settings, arguments: argparse.Namespace) -> int:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(settings=settings.database))
        lines = await Overview(database=database).workers()
    _print([_worker(line) for line in lines], "there are no workers", arguments)
    return 0


def _print(rows: list[dict[str, object]], none: str, arguments: argparse.Namespace) -> None:
    if arguments.json:
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
