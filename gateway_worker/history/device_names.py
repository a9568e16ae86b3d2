"""What people call themselves, as the library has stored it in a session's device store.

It is read in the worker, never in the host: to close a file takes from a process all locks that it
has on it, and in the host those are the library's.
"""

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog

from gateway_worker.host_protocol.layout import DEVICE_STORE_NAME

log = structlog.get_logger(__name__)

_BUSY_SECONDS: Final = 0.5
_FIND: Final = """
    SELECT their_jid, push_name, full_name, business_name FROM whatsmeow_contacts
    WHERE their_jid IN ({})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What somebody is called; None where nothing is known."""

    push_name: str | None = None
    full_name: str | None = None
    business_name: str | None = None


def names_of(directory: Path, ids: Collection[str]) -> Mapping[str, Names]:
    """Return the names of people by their ids, as far as they are known. Blocks; never raises.

    Args:
        directory: The session's directory.
        ids: Of people; the library may have stored a name under any of one's ids.
    """
    store = directory / DEVICE_STORE_NAME
    if not ids or not store.exists():
        return {}
    statement = _FIND.format(", ".join("?" * len(ids)))
    try:
        # Writable, so that what a writer left half done when it was killed is rolled back first.
        source = f"file:{quote(str(store))}?mode=rw"
        with closing(sqlite3.connect(source, uri=True, timeout=_BUSY_SECONDS)) as connection:
            found = connection.execute(statement, tuple(ids)).fetchall()
    except sqlite3.Error as error:
        log.warning("history.names_not_read", reason=type(error).__name__)
        return {}
    return {
        jid: Names(
            push_name=push_name or None,
            full_name=full_name or None,
            business_name=business_name or None,
        )
        for jid, push_name, full_name, business_name in found
    }
