"""The file of a device store, as the library opens it, and whose devices are in it."""

import re
from pathlib import Path
from typing import Any, Final

from neonize import _binder as binder

from gateway_worker.whatsapp.host.preload import Deferred

KEPT_STATEMENTS: Final = 32
"""Per connection of the store, of which there are two."""
_DEVICE: Final = re.compile(r"[0-9]+(\.[0-9]+)?(:[0-9]+)?@[a-z.]+")
_DEVICE_SEPARATOR: Final = "|\x01|"


class StoreUnreadableError(Exception):
    """The device store cannot be read, now or for good."""


def file_source(store: Path) -> str:
    """Return a file's name for the library, with how it is to be written.

    The library makes `file:NAME?_foreign_keys=on` of it and gives that to SQLite's driver; what is
    after a question mark in the name are parameters of the driver.

    The driver does not wait for the disk: while it did, a message whose key is used up already
    would be nowhere but in the memory of a process that may be killed. Whoever uses this forces the
    write-ahead log to the disk, after arrivals and before the answer to a send.

    It keeps the statements that it has compiled. The library compiles the same dozen again for each
    message, and our triggers with them: that was an eighth of all that a host does.
    """
    pragmas = "_journal_mode=WAL&_synchronous=NORMAL&_busy_timeout=5000&_foreign_keys=on"
    return f"{store}?{pragmas}&_stmt_cache_size={KEPT_STATEMENTS}&_="


def log_of(store: Path) -> Path:
    """Return the write-ahead log of a store."""
    return store.with_name(store.name + "-wal")


def stored_devices(deferred: Deferred, source: str) -> list[str]:
    """Return the device JIDs that a store holds; creates the store if there is none.

    neonize's own reading of the answer fails on a push name with a comma, and takes an error, which
    is told in the place of the devices, for one of them.

    Raises:
        StoreUnreadableError: The store could not be read; what it holds is not known.
    """
    ignore = binder.func_callback_bytes2(lambda _data, _size: None)
    native: Any = deferred
    answer = native.GetAllDevices(source.encode(), ignore).decode(errors="replace")
    devices = [row.partition(",")[0] for row in answer.split(_DEVICE_SEPARATOR) if row]
    if not all(_DEVICE.fullmatch(device) for device in devices):
        raise StoreUnreadableError("the library cannot read the device store")
    return devices
