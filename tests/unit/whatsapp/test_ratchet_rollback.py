"""Keys that were used for messages which nobody has can be used again; no others."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway_worker.host_protocol.layout import HANDED_NAME
from gateway_worker.whatsapp.host.ratchet_rollback import BATCH, KEPT, RatchetRollback

TABLES = """
CREATE TABLE whatsmeow_sessions (
    our_jid TEXT, their_id TEXT, session BLOB, PRIMARY KEY (our_jid, their_id)
);
CREATE TABLE whatsmeow_sender_keys (
    our_jid TEXT, chat_id TEXT, sender_id TEXT, sender_key BLOB,
    PRIMARY KEY (our_jid, chat_id, sender_id)
);
"""
PUT = """
INSERT INTO whatsmeow_sessions VALUES ('me', ?, ?)
    ON CONFLICT (our_jid, their_id) DO UPDATE SET session = excluded.session
"""


class Store:
    """A device store as the library keeps it, and hosts that live one after the other."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "store.db"
        self.failures: list[str] = []
        self.database = sqlite3.connect(self.path, isolation_level=None)
        self.database.executescript("PRAGMA journal_mode = WAL;" + TABLES)
        self.host = self.next_host()

    def next_host(self) -> RatchetRollback:
        """Be the host after one that was killed."""
        self.host = RatchetRollback(
            library="none",
            store=self.path,
            directory=self.directory,
            failed=self.failures.append,
        )
        self.host.start()
        return self.host

    def put(
        self, who: str, received: int, *, sent: int = 0, chain: str = "c", base: str = "b"
    ) -> None:
        """Store a conversation's state."""
        state = {
            "ReceiverChains": [received],
            "SenderBaseKey": base * 44,
            "SenderChain": {
                "SenderRatchetKeyPublic": chain,
                "ChainKey": {"Key": "k", "Index": sent},
                "MessageKeys": [],
            },
            "SessionVersion": 3,
        }
        record = json.dumps({"SessionState": state}, separators=(",", ":"))
        self.database.execute(PUT, (who, record.encode()))

    def received(self, who: str) -> int:
        """Return the state of a conversation."""
        rows = self.database.execute(
            "SELECT session FROM whatsmeow_sessions WHERE their_id = ?", (who,)
        )
        return int(json.loads(rows.fetchone()[0])["SessionState"]["ReceiverChains"][0])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Open a store in which one conversation has begun, whose first message was handed over."""
    store = Store(tmp_path)
    with closing(store.database):
        store.put("ada", 1)
        store.host.handed()
        yield store
        assert store.failures == []


def test_what_was_not_handed_over_is_taken_back(store: Store) -> None:
    """Of each conversation as far as needed; what was handed over stays."""
    store.put("ada", 2)
    store.host.handed()
    store.put("ben", 1)
    store.put("ada", 3)
    store.put("ben", 2)
    store.put("ada", 4)

    store.next_host()

    assert (store.received("ada"), store.received("ben")) == (2, 1)
    store.next_host()
    assert (store.received("ada"), store.received("ben")) == (2, 1)


def test_a_key_for_sending_is_never_used_twice(store: Store) -> None:
    """What was received before something was sent stays; so does a conversation begun anew."""
    store.put("ada", 2)
    store.put("ada", 2, sent=1)
    store.put("ada", 3, sent=1)
    store.put("ben", 1)
    store.put("ben", 2)
    store.put("ben", 3, base="a")

    store.next_host()

    assert (store.received("ada"), store.received("ben")) == (2, 3)


def test_an_answer_that_changes_the_chain(store: Store) -> None:
    """The new chain was not used yet, so it is no loss."""
    store.put("ada", 1, sent=1)
    store.put("ada", 2, chain="next")

    store.next_host()

    assert store.received("ada") == 1


def test_a_count_of_another_life_counts_nothing(store: Store) -> None:
    """A store that was brought from elsewhere is taken as it is."""
    store.put("ada", 2)
    (store.directory / HANDED_NAME).write_bytes(bytes(16))

    store.next_host()

    assert store.received("ada") == 2


def test_no_more_is_kept_than_the_library_can_hold_back(store: Store) -> None:
    """The store does not grow."""
    for number in range(2, 3 * KEPT):
        store.put("ada", number)

    rows = store.database.execute("SELECT count(*) FROM gateway_steps").fetchone()

    assert KEPT <= rows[0] < KEPT + BATCH
    store.next_host()
    assert store.received("ada") == 3 * KEPT - 1 - rows[0]


def test_no_store_yet(tmp_path: Path) -> None:
    """The library makes it."""
    failures: list[str] = []
    RatchetRollback(
        library="none", store=tmp_path / "store.db", directory=tmp_path, failed=failures.append
    ).start()

    assert failures == []
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_none_is_left_alone(tmp_path: Path) -> None:
    """The session goes on without."""
    failures: list[str] = []
    path = tmp_path / "store.db"
    path.write_bytes(b"no database" * 100)
    RatchetRollback(library="none", store=path, directory=tmp_path, failed=failures.append).start()

    assert failures == ["the store was not taken as it is"]
    assert path.read_bytes() == b"no database" * 100
