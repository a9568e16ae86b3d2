"""The secrets of messages, as the library keeps them in its device store.

Within the library's process they are read through the library's own SQLite, because the locks of
two in one process would not see each other; see `ratchet_rollback`.
"""

import ctypes
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from gateway_worker.whatsapp.convert.opening import MessageSecret

QUERY: Final = """
    WITH chats (jid) AS (
        SELECT ?1
        UNION ALL SELECT pn || '@s.whatsapp.net' FROM whatsmeow_lid_map
            WHERE lid = replace(?1, '@lid', '')
        UNION ALL SELECT lid || '@lid' FROM whatsmeow_lid_map
            WHERE pn = replace(?1, '@s.whatsapp.net', '')
    )
    SELECT s.sender_jid,
        coalesce(
            (SELECT pn || '@s.whatsapp.net' FROM whatsmeow_lid_map
                WHERE lid = replace(s.sender_jid, '@lid', '')),
            (SELECT lid || '@lid' FROM whatsmeow_lid_map
                WHERE pn = replace(s.sender_jid, '@s.whatsapp.net', ''))
        ),
        hex(s.key)
    FROM whatsmeow_message_secrets AS s
    WHERE s.our_jid IN (SELECT jid FROM whatsmeow_device)
        AND s.chat_jid IN (SELECT jid FROM chats)
        AND s.message_id = ?2
"""
"""?1 the JID of a chat, ?2 a message's id. The first columns of the table's only index are bound:
it has a row for each message, and nobody deletes them."""
BUSY_MILLISECONDS: Final = 500
_OK, _ROW, _DONE = 0, 100, 101
_READ_WRITE: Final = 2
_ALL: Final = -1
_COPIED: Final = ctypes.c_void_p(-1)
"""SQLite's `SQLITE_TRANSIENT`."""
_Row = tuple[str | None, ...]


class SecretsUnreadableError(Exception):
    """The device store does not answer."""


class StoredSecrets:
    """Looks secrets up.

    Args:
        library: Path of the native library, loaded into this process.
        store: The device store.
    """

    def __init__(self, *, library: str, store: Path) -> None:
        self._library = library
        self._store = store

    def of(self, chat: str, message_id: str) -> Sequence[MessageSecret]:
        """Return the secrets that may be a message's.

        Args:
            chat: The JID of its chat, by LID or by number.
            message_id: Its id.

        Raises:
            SecretsUnreadableError: The store does not answer.
        """
        sqlite: Any = ctypes.CDLL(self._library)
        database = ctypes.c_void_p()
        name = str(self._store).encode()
        try:
            _require(sqlite.sqlite3_open_v2(name, ctypes.byref(database), _READ_WRITE, None))
            sqlite.sqlite3_busy_timeout(database, BUSY_MILLISECONDS)
            return secrets_in(_rows(sqlite, database, (chat, message_id)))
        finally:
            sqlite.sqlite3_close_v2(database)


def secrets_in(rows: Iterable[_Row]) -> list[MessageSecret]:
    """Return what the rows of `QUERY` tell."""
    return [
        MessageSecret(
            writers=tuple(one for one in (writer, other) if one), secret=bytes.fromhex(secret or "")
        )
        for writer, other, secret in rows
    ]


def _rows(sqlite: Any, database: ctypes.c_void_p, values: Sequence[str]) -> list[_Row]:
    statement = ctypes.c_void_p()
    query = QUERY.encode()
    sqlite.sqlite3_column_text.restype = ctypes.c_char_p
    try:
        _require(sqlite.sqlite3_prepare_v2(database, query, _ALL, ctypes.byref(statement), None))
        for place, value in enumerate(values, start=1):
            text = value.encode(errors="replace")
            _require(sqlite.sqlite3_bind_text(statement, place, text, len(text), _COPIED))
        columns = sqlite.sqlite3_column_count(statement)
        found: list[_Row] = []
        while (status := sqlite.sqlite3_step(statement)) == _ROW:
            row = [sqlite.sqlite3_column_text(statement, one) for one in range(columns)]
            found.append(tuple(None if one is None else one.decode() for one in row))
        _require(status, _DONE)
        return found
    finally:
        sqlite.sqlite3_finalize(statement)


def _require(status: int, wanted: int = _OK) -> None:
    if status != wanted:
        raise SecretsUnreadableError(f"SQLite's error {status}")
