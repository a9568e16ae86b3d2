"""The files of a session: which of them is the device store, and how they are forgotten."""

import shutil
from pathlib import Path

DEVICE_STORE_NAME = "store.db"
"""The library's SQLite file inside a session's directory."""


def has_device_store(directory: Path) -> bool:
    """Whether the session's directory has a device store."""
    return (directory / DEVICE_STORE_NAME).exists()


def forget_device(directory: Path) -> None:
    """Remove the device store with its journal files; the spool stays. Idempotent."""
    for path in directory.glob(f"{DEVICE_STORE_NAME}*"):
        path.unlink(missing_ok=True)


def remove_directory(directory: Path) -> None:
    """Remove everything that the session has on disk. Idempotent."""
    shutil.rmtree(directory, ignore_errors=True)
