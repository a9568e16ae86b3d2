"""The disks that workers run on: one that is lost for good is not waited for any more."""

from contextlib import AsyncExitStack

from gateway_worker.config import Settings
from gateway_worker.ctl.exit_codes import EXIT_FAILED
from gateway_worker.ctl.output import as_json, complain, say
from gateway_worker.storage.db import Database, PostgresWorkerStore


async def forget(settings: Settings, worker: str, *, json: bool) -> int:
    """Let a worker start on another disk; returns the exit code."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(settings=settings.database))
        workers = PostgresWorkerStore(database=database, worker_id=worker)
        lost = [one for one in await workers.linked_sessions() if not one.is_copied]
        if not await workers.forget_disk():
            complain(f"there is no worker {worker}")
            return EXIT_FAILED
    if json:
        say(as_json({"worker": worker, "lost": [session.session_id for session in lost]}))
        return 0
    say(f"the worker {worker} may start on another disk")
    for session in lost:
        say(f"no copy: {session.session_id}")
    return 0
