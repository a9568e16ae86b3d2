"""The names of what lies in a session's directory, each known to the worker and its hosts.

store.db            the library's device store (with -wal and -shm while a host runs)
epoch               the epoch under which the store was last used
host.lock           locked by the host that uses the directory; a mark that names the directory
host.err            what the host said on standard error
spool-…, spool.ack  what has arrived and is not committed; see `spool_format`
sends.journal       what became of each call that must not be made twice; see `journal_format`
handed              how many messages the library has handed over
quarantine/         records that could not be told as they are
refused             arrivals that the database has refused
outgoing/           files that are about to be uploaded
history/            what was written before the account was linked and is not recorded yet
carried/            a spool that came with a copy while the directory has one of its own
"""

from typing import Final

DEVICE_STORE_NAME: Final = "store.db"
EPOCH_NAME: Final = "epoch"
LOCK_NAME: Final = "host.lock"
ERRORS_NAME: Final = "host.err"
SPOOL_PREFIX: Final = "spool-"
"""Of a segment's name; the number of its first record follows, in `SPOOL_DIGITS` digits."""
SPOOL_DIGITS: Final = 20
SPOOL_ACK_NAME: Final = "spool.ack"
JOURNAL_PREFIX: Final = "sends."
"""The names of the journal's files begin so."""
JOURNAL_NAME: Final = "sends.journal"
JOURNAL_DRAFT_NAME: Final = ".sends.draft"
HANDED_NAME: Final = "handed"
QUARANTINE_NAME: Final = "quarantine"
REFUSED_NAME: Final = "refused"
CARRIED_NAME: Final = "carried"
HISTORY_NAME: Final = "history"
HISTORY_SUFFIX: Final = ".sync"
"""Of a file in there: what the library told at once, and nobody has recorded to its end."""
OUTGOING_NAME: Final = "outgoing"
