"""Who has asked for what, and what became of it; nothing of what was in it."""

from dataclasses import asdict
from datetime import datetime

from gateway_worker.config import Settings
from gateway_worker.ctl.output import as_json, complain, say, table
from gateway_worker.storage.db import Database
from gateway_worker.storage.db.audit import Audit


async def list_commands(
    settings: Settings,
    *,
    tenant: str | None,
    session: str | None,
    command_type: str | None,
    since: datetime | None,
    limit: int,
    json: bool,
) -> int:
    """Print what is stored of commands; returns the exit code."""
    async with Database(settings=settings.database) as database:
        lines = await Audit(database=database).commands(
            tenant=tenant,
            session_id=session,
            command_type=command_type,
            since=since,
            limit=limit + 1,
        )
    rows = [asdict(line) for line in lines[:limit]]
    if json:
        say(as_json(rows))
    else:
        say(table(rows) if rows else "there are no such commands")
    if len(lines) > limit:
        complain("more are not shown; see --limit")
    return 0
