"""A device store is read whole whatever its writer does, and put back whole or not at all."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway_worker.errors import DependencyError
from gateway_worker.storage.objects import device_files
from gateway_worker.storage.objects.device_files import (
    UnusableCopyError,
    place_store,
    read_store,
)

TWO_ROWS_AT_A_TIME = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
number = 0
while True:
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO entry VALUES (?, zeroblob(3000))", (number,))
    database.execute("INSERT INTO entry VALUES (?, zeroblob(3000))", (number,))
    database.execute("COMMIT")
    number += 1
    if number == 5:
        print("writing", flush=True)
"""

HALF_A_TRANSACTION = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN IMMEDIATE")
for number in range(500):
    database.execute("INSERT INTO entry VALUES (-1, zeroblob(3000))")
print("written", flush=True)
time.sleep(600)
"""


def make(path: Path, *, rows: int = 10, journal: str = "delete") -> None:
    """Make a database with pairs of equal rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"PRAGMA journal_mode={journal}")
        database.execute("CREATE TABLE entry (number INTEGER, filling BLOB)")
        for number in range(rows):
            for _ in range(2):
                database.execute("INSERT INTO entry VALUES (?, zeroblob(500))", (number,))


def numbers(path: Path) -> list[int]:
    """Return the rows of a database."""
    with closing(sqlite3.connect(path)) as database:
        return [number for (number,) in database.execute("SELECT number FROM entry")]


def copied(source: Path, target: Path) -> list[int]:
    """Copy a store and return what the copy holds."""
    place_store(target, read_store(source))
    return numbers(target)


def writer(code: str, path: Path) -> "subprocess.Popen[str]":
    """Start a process that writes to a store, and wait until it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def end(process: "subprocess.Popen[str]") -> None:
    """End a writer the hard way."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_store_that_is_written_to_is_copied_whole(
    tmp_path: Path, journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each copy has both rows of every transaction, and later ones have more."""
    # A writer that never rests may keep its lock for long on a machine that is busy.
    monkeypatch.setattr(device_files, "_COPY_SECONDS", 120.0)
    make(tmp_path / "store.db", rows=0, journal=journal)
    process = writer(TWO_ROWS_AT_A_TIME, tmp_path / "store.db")
    try:
        copies = [copied(tmp_path / "store.db", tmp_path / f"{n}" / "store.db") for n in range(5)]
        assert process.poll() is None
    finally:
        end(process)
    for rows in copies:
        assert rows == sorted([*range(len(rows) // 2)] * 2)
    assert 10 <= len(copies[0]) < len(copies[-1])


def test_what_a_killed_writer_left_half_done_is_undone(tmp_path: Path) -> None:
    """The journal it left behind is played back before the copy is made."""
    store = tmp_path / "store.db"
    make(store)
    end(writer(HALF_A_TRANSACTION, store))
    assert store.with_name("store.db-journal").stat().st_size
    assert sorted(set(copied(store, tmp_path / "copy" / "store.db"))) == list(range(10))


def test_a_store_that_stays_locked_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's backup would wait without end."""
    monkeypatch.setattr(device_files, "_COPY_SECONDS", 0.1)
    monkeypatch.setattr(device_files, "_BUSY_SECONDS", 0.01)
    make(tmp_path / "store.db")
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DependencyError, match="locked"):
            read_store(tmp_path / "store.db")
        database.execute("ROLLBACK")
    assert read_store(tmp_path / "store.db")


def test_a_lock_that_ends_is_waited_for(tmp_path: Path) -> None:
    """A busy writer delays the copy and no more."""
    make(tmp_path / "store.db")
    database = sqlite3.connect(tmp_path / "store.db", isolation_level=None, check_same_thread=False)
    with closing(database):
        database.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(0.2, lambda: database.execute("ROLLBACK"))
        release.start()
        assert len(copied(tmp_path / "store.db", tmp_path / "copy" / "store.db")) == 20
        release.join()


def no_file(path: Path) -> None:
    """Make nothing."""


def empty(path: Path) -> None:
    """Make an empty file, which SQLite takes for an empty database."""
    path.write_bytes(b"")


def junk(path: Path) -> None:
    """Make a file that is no database."""
    path.write_bytes(b"not a database, but long enough to be mistaken for one" * 100)


def damaged(path: Path) -> None:
    """Make a database with a broken page."""
    make(path, rows=200)
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    path.write_bytes(data)


def unlinked(path: Path) -> None:
    """Make a store as the library does where it finds none: tables without a device."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE whatsmeow_device (jid TEXT)")


@pytest.mark.parametrize("spoil", [no_file, empty, junk, damaged, unlinked])
def test_a_store_that_is_of_no_use_is_not_copied(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """It would push out a copy that is."""
    spoil(tmp_path / "store.db")
    with pytest.raises(DependencyError):
        read_store(tmp_path / "store.db")


def test_a_store_with_a_device_is_copied(tmp_path: Path) -> None:
    """The counterpart of the one without."""
    unlinked(tmp_path / "store.db")
    with closing(sqlite3.connect(tmp_path / "store.db")) as database, database:
        database.execute("INSERT INTO whatsmeow_device VALUES ('a')")
    assert read_store(tmp_path / "store.db")


@pytest.mark.parametrize("spoil", [empty, junk, damaged, unlinked])
def test_a_copy_that_is_of_no_use_changes_nothing(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """The store stays as it was, and nothing lies around."""
    spoil(tmp_path / "bad.db")
    bad = (tmp_path / "bad.db").read_bytes()
    make(tmp_path / "shop" / "store.db")
    with pytest.raises(UnusableCopyError):
        place_store(tmp_path / "shop" / "store.db", bad)
    assert len(numbers(tmp_path / "shop" / "store.db")) == 20
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["store.db"]


def test_the_old_stores_journals_go(tmp_path: Path) -> None:
    """SQLite would play them into the new store."""
    good, store = tmp_path / "good.db", tmp_path / "shop" / "store.db"
    make(good, rows=3)
    make(store)
    end(writer(HALF_A_TRANSACTION, store))
    for suffix in ("-wal", "-shm"):
        store.with_name(f"store.db{suffix}").write_bytes(b"old")
    (store.parent / ".store.db.0badcafe").write_bytes(b"left by a killed process")
    (store.parent / "spool").mkdir()
    place_store(store, read_store(good))
    assert sorted(path.name for path in store.parent.iterdir()) == ["spool", "store.db"]
    assert len(numbers(store)) == 6


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    """Whatever the umask says, also in a directory that was open before."""
    make(tmp_path / "store.db")
    data = read_store(tmp_path / "store.db")
    (tmp_path / "open").mkdir(mode=0o777)
    before = os.umask(0)
    try:
        for directory in (tmp_path / "open", tmp_path / "new" / "shop"):
            place_store(directory / "store.db", data)
            assert directory.stat().st_mode & 0o777 == 0o700
            assert (directory / "store.db").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_a_directory_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    """As something that may pass."""
    make(tmp_path / "store.db")
    with pytest.raises(DependencyError, match="cannot be written"):
        place_store(tmp_path / "store.db" / "store.db", read_store(tmp_path / "store.db"))
