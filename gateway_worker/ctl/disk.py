"""The disks that workers run on: one that is lost for good is not waited for any more."""

import argparse
from contextlib import AsyncExitStack
from typing import Any

from gateway_worker.config import Settings
from gateway_worker.ctl.output import complain, say
from gateway_worker.storage.db import Database, PostgresWorkerStore

EXIT_FAILED = 1


def add_arguments(groups: Any) -> None:
    """Add `disk` and its word."""
    disks = groups.add_parser("disk", help="the disks (DATA_DIR) that workers run on")
    words = disks.add_subparsers(required=True, metavar="ACTION")
    forget = words.add_parser(
        "forget",
        help="let a worker start on another disk, although stores are lost with the old one",
        description="Let a worker start on another disk although the device stores of some of its "
        "sessions were on the old one only. That disk must be lost for good: these sessions end "
        "with `store_lost` and have to be linked again.",
    )
    forget.add_argument("worker", metavar="WORKER_ID")
    forget.set_defaults(action=_forget)


async def _forget(settings: Settings, arguments: argparse.Namespace) -> int:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(settings=settings.database))
        workers = PostgresWorkerStore(database=database, worker_id=arguments.worker)
        lost = [one for one in await workers.linked_sessions() if not one.is_copied]
        if not await workers.forget_disk():
            complain(f"there is no worker {arguments.worker}")
            return EXIT_FAILED
    say(f"the worker {arguments.worker} may start on another disk")
    for session in lost:
        say(f"no copy: {session.session_id}")
    return 0
