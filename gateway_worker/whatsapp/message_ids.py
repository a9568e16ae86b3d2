"""Finds the id of a message that was never answered, in the library's device store.

The library chooses the ids. Before it writes a message to the connection it stores its secret,
which the host has noted in the journal of sends, beside chat and id. This is read here, in the
worker: to close a file takes from a process all locks that it has on it, and in the host those are
the library's.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog

from gateway_worker.host_protocol.journal_format import Submission, parse
from gateway_worker.host_protocol.layout import DEVICE_STORE_NAME, JOURNAL_NAME

log = structlog.get_logger(__name__)

_BUSY_SECONDS: Final = 0.5
_FIND: Final = """
    SELECT s.chat_jid, s.message_id, m.pn
    FROM whatsmeow_message_secrets AS s
    LEFT JOIN whatsmeow_lid_map AS m ON s.chat_jid = m.lid || '@lid'
    WHERE s.key = ?
"""
"""The library's tables have no index of secrets; what is looked for is rare."""
_PHONE_SERVER: Final = "s.whatsapp.net"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageId:
    """Which message it is: its id within its chat, which is told as receipts tell it."""

    chat: str
    message_id: str


def find_message(directory: Path, command_id: str) -> MessageId | None:
    """Return which message a command has submitted, if that is known. Blocks; never raises.

    Args:
        directory: The session's directory.
        command_id: A command whose submission is the last that the journal has of it.
    """
    secret = _secret_of(directory, command_id)
    store = directory / DEVICE_STORE_NAME
    if secret is None or not store.exists():
        return None
    try:
        with closing(_opened(store)) as connection:
            found = connection.execute(_FIND, (secret,)).fetchone()
    except sqlite3.Error as error:
        log.warning("send.id_not_found", command_id=command_id, reason=type(error).__name__)
        return None
    if found is None:
        return None
    chat, message_id, phone = found
    return MessageId(
        chat=chat if phone is None else f"{phone}@{_PHONE_SERVER}", message_id=message_id
    )


def _secret_of(directory: Path, command_id: str) -> bytes | None:
    try:
        journal = parse((directory / JOURNAL_NAME).read_bytes())
    except OSError:
        return None
    line = None if journal is None else journal.last.get(command_id)
    return line.secret if isinstance(line, Submission) else None


def _opened(store: Path) -> sqlite3.Connection:
    # Writable, so that what a writer left half done when it was killed is rolled back first.
    source = f"file:{quote(str(store))}?mode=rw"
    return sqlite3.connect(source, uri=True, timeout=_BUSY_SECONDS)
