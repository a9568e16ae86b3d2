"""The files of a session: which of them is the device store, and how they are forgotten.

A session's directory holds the device store, the spool of what is not committed yet, the journal of
sends and the lock that a host keeps for as long as it lives. Whoever replaces or removes files
holds that lock meanwhile, so nothing is ever taken away under a running host.
"""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway_contracts import new_id
from gateway_worker.host_protocol.layout import (
    DEVICE_STORE_NAME,
    HISTORY_NAME,
    HISTORY_SUFFIX,
    JOURNAL_PREFIX,
    LOCK_NAME,
    SPOOL_ACK_NAME,
    SPOOL_PREFIX,
)
from gateway_worker.host_protocol.spool_format import acknowledged_in, records_in

SEPARATOR: Final = "~"
"""Between session and number in the name of a parked directory; no session id has it."""
_DEVICES: Final = "whatsmeow_device"
_BUSY_SECONDS: Final = 0.5


def has_device_store(directory: Path) -> bool:
    """Whether the session's directory has a device store."""
    return (directory / DEVICE_STORE_NAME).exists()


def has_linked_device(directory: Path) -> bool:
    """Whether the device store holds a device, or may do so: one that cannot be read counts too."""
    if not has_device_store(directory):
        return False
    source = f"file:{quote(str((directory / DEVICE_STORE_NAME).absolute()))}?mode=rw"
    try:
        with closing(sqlite3.connect(source, uri=True, timeout=_BUSY_SECONDS)) as store:
            tables = {name for (name,) in store.execute("SELECT name FROM sqlite_schema")}
            if _DEVICES not in tables:
                return bool(tables)
            return store.execute(f"SELECT 1 FROM {_DEVICES}").fetchone() is not None  # noqa: S608 - a constant
    except sqlite3.Error:
        return True


def forget_device(directory: Path) -> None:
    """Remove the device store with its journal files; the spool stays. Idempotent."""
    for path in directory.glob(f"{DEVICE_STORE_NAME}*"):
        path.unlink(missing_ok=True)


def remove_directory(directory: Path) -> None:
    """Remove everything that the session has on disk. Idempotent.

    Raises:
        OSError: Something is left.
    """
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        if os.path.lexists(directory):  # a part of it went away meanwhile
            raise


def forget_local(directory: Path) -> bool:
    """Remove the plain files of a session that lives elsewhere by now; blocks shortly. Idempotent.

    Returns:
        Whether nothing is left; False, with nothing removed, while a host uses the directory.

    Raises:
        OSError: Something could not be removed.
    """
    with unused(directory) as free:
        if free and directory.exists():
            shutil.rmtree(directory)
    return free


def park(directory: Path, parking: Path) -> Path:
    """Move a session's directory to where it is cleared; returns its new place. Raises OSError."""
    parking.mkdir(parents=True, exist_ok=True, mode=0o700)
    return directory.rename(parking / f"{directory.name}{SEPARATOR}{new_id()}")


def parked_session(directory: Path) -> str:
    """Return whose a parked directory is."""
    return directory.name.partition(SEPARATOR)[0]


@contextmanager
def unused(directory: Path) -> Iterator[bool]:
    """Keep hosts out of a directory for a while, without waiting; says whether that worked.

    A directory that does not exist is unused.
    """
    try:
        lock = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        yield True
        return
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(lock)


def spool_segments(directory: Path) -> list[Path]:
    """Return the files of the spool that hold records, in the order of the records."""
    return sorted(path for path in directory.glob(f"{SPOOL_PREFIX}*") if path.stat().st_size)


def pending_records(directory: Path) -> int:
    """Return how many spooled records nobody has acknowledged; for a directory at rest."""
    for segment in reversed(spool_segments(directory)):
        if (last := _last_record(segment)) > 0:
            return max(0, last - _acknowledged(directory))
    return 0


def has_history(directory: Path) -> bool:
    """Whether there is something from before the account was linked that nobody has recorded."""
    return next((directory / HISTORY_NAME).glob(f"*{HISTORY_SUFFIX}"), None) is not None


def journal_files(directory: Path) -> list[Path]:
    """Return the files of the journal of sends."""
    return sorted(directory.glob(f"{JOURNAL_PREFIX}*"))


def _acknowledged(directory: Path) -> int:
    try:
        return acknowledged_in((directory / SPOOL_ACK_NAME).read_bytes())
    except FileNotFoundError:
        return 0


def _last_record(segment: Path) -> int:
    """Return the number of a segment's last whole record; 0 if it has none."""
    return max((record.number for record in records_in(segment.read_bytes())), default=0)
