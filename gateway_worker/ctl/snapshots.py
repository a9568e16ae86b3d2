"""The encrypted copies of device stores: all of them under a new key."""

import argparse
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

from gateway_worker.config import Settings
from gateway_worker.ctl.output import as_json, complain, say
from gateway_worker.errors import ConfigurationError
from gateway_worker.storage.db import Database, fleet_id
from gateway_worker.storage.objects import Bucket, Objects, rotate

EXIT_FAILED = 1


def add_arguments(groups: Any) -> None:
    """Add `snapshots` and its word."""
    snapshots = groups.add_parser("snapshots", help="the copies of device stores")
    words = snapshots.add_subparsers(required=True, metavar="ACTION")
    rotation = words.add_parser(
        "rotate",
        help="seal every copy under the first of the snapshot keys",
        description="Seal every copy under the first of the snapshot keys. Set the new key first "
        "and keep the old ones behind it, in every worker, before this; the old ones may go when "
        "it ends with 0 unreadable. It can be stopped and run again at any time.",
    )
    rotation.add_argument("--json", action="store_true", help="print JSON for programs")
    rotation.set_defaults(action=_rotate)


async def _rotate(settings: Settings, arguments: argparse.Namespace) -> int:
    keyring = settings.objects.keyring()
    if keyring is None:
        raise ConfigurationError("SNAPSHOT_KEYS: is not set, so there are no copies to rotate")
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(settings=settings.database))
        fleet = await fleet_id(database)
        objects = await stack.enter_async_context(Objects.open(settings.objects))
        rotation = await rotate(Bucket(objects=objects), keyring, fleet=fleet)
    if arguments.json:
        say(as_json(asdict(rotation)))
    else:
        say(
            f"rotated {rotation.rotated} of {rotation.total}; {rotation.current} had the key "
            f"already, {rotation.vanished} were replaced meanwhile"
        )
    if rotation.unreadable:
        complain(f"{rotation.unreadable} copies cannot be read: keep the old keys")
        return EXIT_FAILED
    return 0
