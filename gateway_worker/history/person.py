"""The ids of one person, as far as a session knows them."""

import asyncio
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog

from gateway_worker.history.ports import HistoryStore
from gateway_worker.host_protocol.layout import DEVICE_STORE_NAME
from gateway_worker.sessions.chats import chat_of

log = structlog.get_logger(__name__)

_BUSY_SECONDS: Final = 2.0
_PHONE, _LID = "s.whatsapp.net", "lid"
_FEWEST_DIGITS: Final = 5
_ALIASES: Final = "SELECT lid, pn FROM whatsmeow_lid_map WHERE lid = ? OR pn = ?"
_ERASE: Final = (
    ("whatsmeow_contacts", ("their_jid",)),
    ("whatsmeow_chat_settings", ("chat_jid",)),
    ("whatsmeow_message_secrets", ("chat_jid", "sender_jid")),
)


async def ids_of(
    store: HistoryStore, session_id: str, contact: str, *, directory: Path | None
) -> Sequence[str]:
    """Return the ids of a person: by chats there were, and by what the device store maps.

    Args:
        store: Has the chats.
        session_id: Whose.
        contact: One id of the person, or the number.
        directory: The session's, where it is here.

    Raises:
        DependencyError: The database cannot be asked.
    """
    known = dict.fromkeys([chat_of(contact), *await store.ids_of(session_id, chat_of(contact))])
    if directory is not None:
        for one in tuple(known):
            known |= dict.fromkeys(await asyncio.to_thread(_aliases, directory, one))
    for one in tuple(known):
        known |= dict.fromkeys(await store.ids_of(session_id, one))
    return tuple(known)


def numbers_of(ids: Collection[str]) -> Sequence[str]:
    """Return the digits that texts tell a person by."""
    users = (one.partition("@")[0] for one in ids)
    return [user for user in users if user.isdecimal() and len(user) >= _FEWEST_DIGITS]


def erase_from_device(directory: Path, ids: Collection[str]) -> int:
    """Erase from a device store what its library keeps of a person; returns how many rows.

    The keys of conversations stay: the library has them in memory, too, and without them what comes
    next could not be read. Blocks.

    Raises:
        sqlite3.Error: Not all is erased.
    """
    store = directory / DEVICE_STORE_NAME
    if not store.exists():
        return 0
    marks, values = ", ".join("?" * len(ids)), tuple(ids)
    erased = 0
    with closing(_opened(store)) as connection, connection:
        for table, columns in _ERASE:
            where = " OR ".join(f"{column} IN ({marks})" for column in columns)
            statement = f"DELETE FROM {table} WHERE {where}"  # noqa: S608 - constant names
            erased += connection.execute(statement, values * len(columns)).rowcount
    return erased


def _aliases(directory: Path, jid: str) -> Sequence[str]:
    """Return the other id of a person that the device store maps to this one. Blocks."""
    store = directory / DEVICE_STORE_NAME
    user = jid.partition("@")[0]
    if not store.exists():
        return ()
    try:
        with closing(_opened(store)) as connection:
            found = connection.execute(_ALIASES, (user, user)).fetchall()
    except sqlite3.Error as error:
        log.warning("history.aliases_not_read", reason=type(error).__name__)
        return ()
    return [one for lid, phone in found for one in (f"{phone}@{_PHONE}", f"{lid}@{_LID}")]


def _opened(store: Path) -> sqlite3.Connection:
    # Writable, so that what a writer left half done when it was killed is rolled back first.
    source = f"file:{quote(str(store))}?mode=rw"
    return sqlite3.connect(source, uri=True, timeout=_BUSY_SECONDS)
