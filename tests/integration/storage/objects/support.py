"""Keys, and small databases that stand for device stores."""

import base64
import sqlite3
from contextlib import closing
from pathlib import Path

from gateway_worker.runtime.clock import Clock
from gateway_worker.storage.objects import Bucket, Keyring, ObjectSnapshots
from tests.support.copies import FLEET, MemoryRegister

KEYS = {"k1": base64.b64encode(b"1" * 32).decode(), "k2": base64.b64encode(b"2" * 32).decode()}


def keyring(*key_ids: str) -> Keyring:
    """Return the keys with these ids, the first one for encryption."""
    return Keyring.parse(",".join(f"{key_id}:{KEYS[key_id]}" for key_id in key_ids))


def made(
    bucket: Bucket,
    register: MemoryRegister,
    *key_ids: str,
    clock: Clock | None = None,
    fleet: str = FLEET,
) -> ObjectSnapshots:
    """Return a worker's snapshots under these keys, the first one for encryption."""
    return ObjectSnapshots(
        bucket=bucket, keyring=keyring(*key_ids), register=register, fleet=fleet, clock=clock
    )


def make_store(directory: Path, *rows: str) -> Path:
    """Make a small database in a session's directory."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "store.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS entry (value TEXT)")
        database.executemany("INSERT INTO entry VALUES (?)", [(row,) for row in rows])
    return path


def stored_rows(directory: Path) -> list[str]:
    """Return what the database of a session's directory holds."""
    with closing(sqlite3.connect(directory / "store.db")) as database:
        return [value for (value,) in database.execute("SELECT value FROM entry ORDER BY rowid")]
