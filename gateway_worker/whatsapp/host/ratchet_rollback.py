"""Takes back the use of keys for messages that a killed host had decrypted and nobody has.

Decrypting a message uses its key up. The library does that on disk first and hands the message over
after it, so a host that is killed in between has lost it: WhatsApp, which had no confirmation yet,
sends it again, and there is no key any more. So a trigger of the device store keeps, within the
transaction of each such step, the state before it, and numbers the steps. Messages are handed over
in the order of their steps, and they are counted in a file; what has a higher number than that was
not handed over. The next host goes back to before it, and WhatsApp's repeats can be read.

Steps and messages do not match exactly (a conversation's first message is a step that cannot be
taken back, a group's has others), so both begin to count anew whenever the library has been quiet
for a moment. To go back too far is harmless: what comes again is known by its id. Only steps of
receiving are taken back, for a key must never be used twice to send: a step of sending, like a
conversation that begins anew, throws away what was kept of that conversation.

The table is in the library's own file. Within the library's process it is written through the
library's own SQLite, because the locks of two in one process would not see each other.
"""

import ctypes
import importlib
import math
import mmap
import os
import secrets
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway_worker.host_protocol.layout import HANDED_NAME

KEPT: Final = 128
"""Steps, of all conversations together: the library holds a hundred messages back at most."""
SETTLED_SECONDS: Final = 1.0
"""With nothing new for so long, all that the library has decrypted has been handed over."""
BATCH: Final = 32
"""Of those that are too many so many go at once."""
BUSY_MILLISECONDS: Final = 5_000
_COUNTER: Final = struct.Struct("<QQ")
_WORD_BITS: Final = 62  # SQLite's integers have a sign
_OK: Final = 0
_READ_WRITE: Final = 2


# What follows is compiled into every statement with which the library stores a key, so it is short.
# The library stores JSON; should it ever write another, nothing is taken back.


def _tail(row: str, length: str = "") -> str:
    start = f"instr({row}.session, CAST('\"SenderBaseKey\"' AS BLOB))"
    return f"substr({row}.session, {start}{length})"


_UNUSED_CHAIN: Final = '"Index":0},"MessageKeys":[]},"SessionVersion"'
_IS_RECEIVING: Final = (
    f"({_tail('old')} IS {_tail('new')}"
    f" OR instr(new.session, CAST('{_UNUSED_CHAIN}' AS BLOB)) > 0"
    f" AND {_tail('old', ', 62')} IS {_tail('new', ', 62')})"
)
_TRIGGERS: Final = {
    "gateway_stepped": (
        "AFTER UPDATE OF session ON whatsmeow_sessions",
        f"""
        INSERT INTO gateway_steps (our_jid, their_id, session)
            SELECT old.our_jid, old.their_id, old.session WHERE {_IS_RECEIVING};
        UPDATE gateway_steps SET session = NULL
            WHERE changes() = 0 AND our_jid = old.our_jid AND their_id = old.their_id;
        DELETE FROM gateway_steps
            WHERE last_insert_rowid() % {BATCH} = 0 AND step <= last_insert_rowid() - {KEPT};
        """,  # noqa: S608 - constants
    ),
    "gateway_begun": (
        "AFTER INSERT ON whatsmeow_sessions",
        "INSERT INTO gateway_steps (our_jid, their_id) VALUES (new.our_jid, new.their_id);",
    ),
    "gateway_ended": (
        "AFTER DELETE ON whatsmeow_sessions",
        """
        UPDATE gateway_steps SET session = NULL
            WHERE our_jid = old.our_jid AND their_id = old.their_id;
        """,
    ),
    "gateway_in_group": (
        "AFTER UPDATE OF sender_key ON whatsmeow_sender_keys",
        "INSERT INTO gateway_steps (our_jid, their_id) VALUES (new.our_jid, new.sender_id);",
    ),
}
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS gateway_steps (
    step INTEGER PRIMARY KEY, our_jid TEXT NOT NULL, their_id TEXT NOT NULL,
    session BLOB
);
CREATE TABLE IF NOT EXISTS gateway_life (word INTEGER NOT NULL);
"""
_ARM: Final = "".join(
    f"CREATE TRIGGER IF NOT EXISTS {name} {event} BEGIN {action} END;\n"
    for name, (event, action) in _TRIGGERS.items()
)
_DISARM: Final = "".join(f"DROP TRIGGER IF EXISTS {name};\n" for name in _TRIGGERS)
_FORGET: Final = "DELETE FROM gateway_steps;"
_TAKE_BACK: Final = """
UPDATE whatsmeow_sessions SET session = kept.session
    FROM (
        SELECT our_jid, their_id, session, min(step) FROM gateway_steps
        WHERE step > {handed} AND session IS NOT NULL
            AND {last_word} IN (SELECT word FROM gateway_life)
        GROUP BY our_jid, their_id
    ) AS kept
    WHERE kept.our_jid = whatsmeow_sessions.our_jid
        AND kept.their_id = whatsmeow_sessions.their_id;
DELETE FROM gateway_life;
INSERT INTO gateway_life VALUES ({word});
"""
_BEGIN: Final = "BEGIN IMMEDIATE;" + _TABLES + _DISARM
_END: Final = _FORGET + _ARM + "COMMIT;"


class RatchetRollback:
    """The steps that are kept of one device store; nothing of it ever raises.

    Args:
        library: Path of the native library, loaded into this process.
        store: The device store.
        directory: Where the counter is: which life of a host counts, and how many messages it has
            handed over.
        failed: Told why the store did not take something; the session goes on without.
        in_fork: Called first in a process that opens the store: what is in it a host has written
            that may have been taken over.
    """

    def __init__(
        self,
        *,
        library: str,
        store: Path,
        directory: Path,
        failed: Callable[[str], None],
        in_fork: Callable[[], object] = lambda: None,
    ) -> None:
        self._library = library
        self._store = store
        self._path = directory / HANDED_NAME
        self._failed = failed
        self._in_fork = in_fork
        self._counter: mmap.mmap | None = None
        self._word = 0
        self._handed = 0
        self._settled_at = 0.0

    def start(self) -> None:
        """Go back to before what was not handed over, and keep steps from now on.

        For a process that has one thread and has not loaded the library. Nothing is done if there
        is no store yet; see `start_late`.
        """
        if self._store.exists():
            self._start(self._execute_apart)

    def start_late(self) -> None:
        """Keep steps from now on, in a store that the library has just made. Idempotent."""
        if self._counter is None:
            self._start(self._execute)

    def _start(self, execute: Callable[[str], bool]) -> None:
        last_word, handed = self._read()
        self._word = secrets.randbits(_WORD_BITS)
        back = _TAKE_BACK.format(last_word=last_word, handed=handed, word=self._word)
        if execute(_BEGIN + back + _END):
            self._counter = self._open()
            self._count(0)

    def handed(self) -> None:
        """Count a message that was handed over and is on disk. For the library's event thread."""
        self._count(self._handed + 1)

    def seconds_to_settle(self, last_event_at: float, *, is_busy: bool) -> float:
        """Return when `settle` may be called; infinity if nothing has come since it was.

        Args:
            last_event_at: When the library's last event had been taken, by the monotonic clock.
            is_busy: Whether another is being taken.
        """
        if self._counter is None or last_event_at <= self._settled_at:
            return math.inf
        if is_busy:
            return SETTLED_SECONDS
        return max(0.0, last_event_at + SETTLED_SECONDS - time.monotonic())

    def settle(self) -> None:
        """Forget everything: the library is quiet, so all has been handed over."""
        if self._counter is not None:
            self._settled_at = time.monotonic()
            if self._execute("BEGIN IMMEDIATE;" + _FORGET + "COMMIT;"):
                self._count(0)  # last: who counts too few goes back too far, which is harmless

    def _count(self, handed: int) -> None:
        self._handed = handed
        if self._counter is not None:
            _COUNTER.pack_into(self._counter, 0, self._word, handed)

    def _read(self) -> tuple[int, int]:
        try:
            word, handed = _COUNTER.unpack(self._path.read_bytes())
        except (OSError, struct.error):
            return 0, 0  # no life has this word
        return word, handed

    def _open(self) -> mmap.mmap | None:
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(file, _COUNTER.size)
                return mmap.mmap(file, _COUNTER.size)
            finally:
                os.close(file)
        except OSError as error:
            self._failed(type(error).__name__)
            return None

    def _execute_apart(self, sql: str) -> bool:
        """Execute it in a process that ends at once: half a MiB would stay behind in this one."""
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                self._in_fork()
                sqlite3 = importlib.import_module("sqlite3")
                store = sqlite3.connect(
                    self._store, timeout=BUSY_MILLISECONDS / 1000, isolation_level=None
                )
                store.executescript("PRAGMA synchronous = NORMAL;" + sql)
                status = 0
            finally:
                os._exit(status)  # not closed, which would wait for the disk
        is_done = os.waitpid(pid, 0)[1] == 0
        if not is_done:
            self._failed("the store was not taken as it is")
        return is_done

    def _execute(self, sql: str) -> bool:
        sqlite = ctypes.CDLL(self._library)
        database = ctypes.c_void_p()
        name = str(self._store).encode()
        try:
            status = sqlite.sqlite3_open_v2(name, ctypes.byref(database), _READ_WRITE, None)
            if status == _OK:
                sqlite.sqlite3_busy_timeout(database, BUSY_MILLISECONDS)
                status = sqlite.sqlite3_exec(database, sql.encode(), None, None, None)
        finally:
            sqlite.sqlite3_close_v2(database)  # takes back a transaction that is open
        if status != _OK:
            self._failed(f"SQLite's error {status}")
        return bool(status == _OK)
