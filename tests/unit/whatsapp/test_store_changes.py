"""Whether a device store has changed since a moment."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway_worker.whatsapp.host.store_changes import StoreChanges


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

    assert changes.is_untouched(mark)


@pytest.mark.parametrize("checkpoint", ["", "PRAGMA wal_checkpoint(TRUNCATE)"])
def test_every_transaction_shows(store: tuple[Path, sqlite3.Connection], checkpoint: str) -> None:
    """One that leaves the file as long as it was, too: after a checkpoint it is written over."""
    path, connection = store
    changes = StoreChanges(path)
    for number in range(20):
        mark = changes.mark()
        connection.execute(checkpoint)
        connection.execute("REPLACE INTO sessions VALUES (1, ?)", (bytes([number]),))

        assert not changes.is_untouched(mark)


def test_without_a_log_nothing_is_known(tmp_path: Path) -> None:
    """And nothing is taken for proof."""
    changes = StoreChanges(tmp_path / "device.db")

    assert not changes.is_untouched(changes.mark())
