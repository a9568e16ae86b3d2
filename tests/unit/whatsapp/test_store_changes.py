"""Whether a device store has changed since a moment."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway_worker.whatsapp.host.store_changes import StoreChanges

DEAD_MAN_SWITCH = 128
"""The byte of a write-ahead log's index that everybody locks who uses it."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """Open a store as the library does: with a write-ahead log, in use."""
    path = tmp_path / "device.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE sessions (id INTEGER PRIMARY KEY, session BLOB)")
        yield path, connection


def test_a_store_at_rest(store: tuple[Path, sqlite3.Connection]) -> None:
    """Reading changes nothing."""
    path, connection = store
    changes = StoreChanges(path)
    mark = changes.mark()
    connection.execute("SELECT * FROM sessions").fetchall()

    assert changes.commits_since(mark) == 0


@pytest.mark.parametrize("checkpoint", ["", "PRAGMA wal_checkpoint(TRUNCATE)"])
def test_every_transaction_counts(store: tuple[Path, sqlite3.Connection], checkpoint: str) -> None:
    """One that leaves the file as long as it was, too: after a checkpoint it is written over."""
    path, connection = store
    changes = StoreChanges(path)
    for number in range(20):
        mark = changes.mark()
        connection.execute(checkpoint)
        for commits in (1, 2):
            connection.execute("REPLACE INTO sessions VALUES (1, ?)", (bytes([number]),))

            assert changes.commits_since(mark) == commits


def test_without_a_log_nothing_is_known(tmp_path: Path) -> None:
    """And nothing is taken for proof."""
    changes = StoreChanges(tmp_path / "device.db")

    assert changes.commits_since(changes.mark()) is None


def test_looking_takes_no_locks_from_the_library(
    store: tuple[Path, sqlite3.Connection],
) -> None:
    """Another process would take itself for the first, and empty the index under the library."""
    path, _connection = store
    changes = StoreChanges(path)
    assert not is_first(path)

    for _ in range(3):
        changes.mark()

    assert not is_first(path)


def test_an_index_that_was_replaced_is_told_from_its_successor(tmp_path: Path) -> None:
    """Whatever it says, it is not the state of the store."""
    path = tmp_path / "device.db"
    index = path.with_name(path.name + "-shm")
    changes = StoreChanges(path)
    index.write_bytes(bytes(48))
    mark = changes.mark()
    assert changes.commits_since(mark) == 0

    index.replace(index.with_name("former"))
    assert changes.commits_since(mark) is None
    index.write_bytes(bytes(48))

    assert changes.commits_since(mark) is None


def test_a_count_that_began_anew_is_no_proof(tmp_path: Path) -> None:
    """The index was made again; what has been stored meanwhile is not known."""
    path = tmp_path / "device.db"
    index = path.with_name(path.name + "-shm")
    changes = StoreChanges(path)
    index.write_bytes(b"\1" * 48)
    mark = changes.mark()

    with index.open("r+b") as file:
        file.write(bytes(48))

    assert changes.commits_since(mark) is None


def is_first(store: Path) -> bool:
    """Ask in another process, as SQLite does, whether nobody else uses a store's index."""
    asking = (
        "import fcntl, sys\n"
        "file = open(sys.argv[1], 'r+b')\n"
        f"fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, {DEAD_MAN_SWITCH})\n"
    )
    asked = subprocess.run(
        [sys.executable, "-c", asking, f"{store}-shm"], capture_output=True, check=False
    )
    assert asked.returncode == 0 or b"BlockingIOError" in asked.stderr, asked.stderr
    return asked.returncode == 0
