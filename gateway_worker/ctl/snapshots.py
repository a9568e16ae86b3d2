"""The encrypted copies of device stores: all of them under a new key."""

from contextlib import AsyncExitStack
from dataclasses import asdict

from gateway_worker.config import Settings
from gateway_worker.ctl.exit_codes import EXIT_FAILED
from gateway_worker.ctl.output import as_json, complain, say
from gateway_worker.errors import ConfigurationError
from gateway_worker.storage.db import Database, fleet_id
from gateway_worker.storage.objects import Bucket, Objects, rotate


async def rotate_copies(settings: Settings, *, json: bool) -> int:
    """Seal every copy under the first of the keys; returns the exit code."""
    keyring = settings.objects.keyring()
    if keyring is None:
        raise ConfigurationError("SNAPSHOT_KEYS: is not set, so there are no copies to rotate")
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(settings=settings.database))
        fleet = await fleet_id(database)
        objects = await stack.enter_async_context(Objects.open(settings.objects))
        rotation = await rotate(Bucket(objects=objects), keyring, fleet=fleet)
    if json:
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
