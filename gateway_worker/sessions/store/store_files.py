"""The files of a session: which of them is the device store, and how they are forgotten.

A session's directory holds the device store, the spool of what is not committed yet, the journal of
sends and the lock that a host keeps for as long as it lives. Whoever replaces or removes files
holds that lock meanwhile, so nothing is ever taken away under a running host.
"""

import fcntl
import os
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway_contracts import new_id

DEVICE_STORE_NAME = "store.db"
"""The library's SQLite file inside a session's directory."""
LOCK_NAME: Final = "host.lock"
"""Locked by the host that uses the directory."""
JOURNAL_PREFIX: Final = "sends."
"""The names of the journal's files begin so."""
SPOOL_PREFIX: Final = "spool-"
"""The names of the spool's segments begin so; the number of their first record follows."""
SPOOL_ACK_NAME: Final = "spool.ack"
CARRIED_NAME: Final = "carried"
"""Holds a spool that came with a copy while the directory has one of its own."""
SEPARATOR: Final = "~"
"""Between session and number in the name of a parked directory; no session id has it."""
_DEVICES: Final = "whatsmeow_device"
_BUSY_SECONDS: Final = 0.5
_RECORD: Final = struct.Struct("<IIQBB")
_ACK: Final = struct.Struct("<QI")


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
    """Remove everything that the session has on disk. Idempotent."""
    shutil.rmtree(directory, ignore_errors=True)


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
    segments = spool_segments(directory)
    return max(0, _last_record(segments[-1]) - _acknowledged(directory)) if segments else 0


def journal_files(directory: Path) -> list[Path]:
    """Return the files of the journal of sends."""
    return sorted(directory.glob(f"{JOURNAL_PREFIX}*"))


def _acknowledged(directory: Path) -> int:
    try:
        packed = (directory / SPOOL_ACK_NAME).read_bytes()
    except FileNotFoundError:
        return 0
    number: int = _ACK.unpack_from(packed)[0] if len(packed) >= _ACK.size else 0
    return number


def _last_record(segment: Path) -> int:
    """Return the number of a segment's last whole record, by the lengths alone."""
    data, offset, last = segment.read_bytes(), 0, 0
    while offset + _RECORD.size <= len(data):
        _, length, number, _, _ = _RECORD.unpack_from(data, offset)
        offset += _RECORD.size + length
        if offset <= len(data):
            last = number
    return last
