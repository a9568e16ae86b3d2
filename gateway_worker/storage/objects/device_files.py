"""A device store on disk: read whole while the library writes to it, and put back in one step."""

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway_worker.errors import DependencyError

_BUSY_SECONDS: Final = 0.5
_COPY_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.05
_JOURNAL_MODE: Final = 18
"""Where a database's header says whether it keeps a write-ahead log, in two bytes."""
_DEVICES: Final = "whatsmeow_device"
_JOURNALS: Final = ("-journal", "-wal", "-shm")


class UnusableCopyError(DependencyError):
    """A copy of a device store is damaged, or holds no device."""


def read_store(path: Path) -> bytes:
    """Return a consistent copy of a SQLite database, which others may be writing to. Blocks.

    Raises:
        UnusableCopyError: It is damaged or holds no device.
        DependencyError: It cannot be read.
    """
    # Writable, so that what a writer left half done when it was killed is rolled back first.
    source = f"file:{quote(str(path))}?mode=rw"
    try:
        with (
            closing(sqlite3.connect(source, uri=True, timeout=_BUSY_SECONDS)) as live,
            closing(sqlite3.connect(":memory:")) as copy,
        ):
            # In one step: a backup in several starts again at every write in between.
            live.backup(copy, progress=_give_up_after(_COPY_SECONDS), sleep=_PAUSE_SECONDS)
            _require_health(copy)
            return copy.serialize()
    except (sqlite3.Error, TimeoutError) as error:
        raise DependencyError(f"the device store cannot be copied: {error}") from error


def place_store(path: Path, data: bytes) -> None:
    """Put a database in place, readable by its owner only, or change nothing. Blocks.

    The directory is made if it is missing. Nobody may have the old file open.

    Raises:
        UnusableCopyError: It is damaged or holds no device.
        DependencyError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        make_private(path.parent)
        try:
            for left in path.parent.glob(f".{path.name}.*"):  # by a process that was killed
                left.unlink()
            _write(temporary, data)
            _check_file(temporary)
            for suffix in _JOURNALS:  # of the old file: SQLite would replay them into the new one
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(path.parent)
    except OSError as error:
        raise DependencyError(f"the device store cannot be written: {error.strerror}") from error


def check_store(data: bytes) -> None:
    """Look through a database that is not on disk. Raises `UnusableCopyError`."""
    try:
        with closing(sqlite3.connect(":memory:")) as copy:
            copy.deserialize(_without_log(data))
            _require_health(copy)
    except sqlite3.Error as error:
        raise UnusableCopyError(f"the copy is no database: {error}") from error


def _without_log(data: bytes) -> bytes:
    """Return a database as one that keeps no write-ahead log: in memory there can be none."""
    return data[:_JOURNAL_MODE] + b"\x01\x01" + data[_JOURNAL_MODE + 2 :]


def place_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a directory, which is made if it is missing, over those there. Blocks.

    Raises:
        DependencyError: They cannot be written.
    """
    try:
        make_private(directory)
        for name, data in files.items():
            temporary = directory / f".{name}.{secrets.token_hex(4)}"
            try:
                _write(temporary, data)
                temporary.replace(directory / name)
            finally:
                temporary.unlink(missing_ok=True)
        _sync_directory(directory)
    except OSError as error:
        raise DependencyError(f"a session's files cannot be written: {error.strerror}") from error


def make_private(directory: Path) -> None:
    """Make a directory for its owner only, with its parents. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory.chmod(0o700)


def _give_up_after(seconds: float) -> Callable[[int, int, int], None]:
    """Return what ends a backup: by itself it waits for a locked database without end."""
    deadline = time.monotonic() + seconds

    def progress(status: int, _remaining: int, _total: int) -> None:
        if status != sqlite3.SQLITE_DONE and time.monotonic() > deadline:
            raise TimeoutError("database is locked")

    return progress


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _check_file(path: Path) -> None:
    uri = f"file:{quote(str(path))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as copy:
            _require_health(copy)
    except sqlite3.Error as error:
        raise UnusableCopyError(f"the copy is no database: {error}") from error


def _require_health(database: sqlite3.Connection) -> None:
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise UnusableCopyError("the database is damaged")
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}
    if not tables:
        raise UnusableCopyError("the database is empty")
    # The library makes a new store where it finds none; that must not push out the good copies.
    if _DEVICES in tables and not database.execute(f"SELECT 1 FROM {_DEVICES}").fetchone():  # noqa: S608 - a constant
        raise UnusableCopyError("the store holds no linked device")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
