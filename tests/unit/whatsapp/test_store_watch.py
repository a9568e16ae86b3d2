"""Which lines of the library's log mean that the device store has failed a message."""

import pytest

from gateway_worker.whatsapp.host.store_watch import StoreWatch, store_failure

LOADING = b"failed to load session with 7_1:0: "
PREKEY = b"failed to decrypt prekey message: "
NORMAL = b"failed to decrypt normal message: "


def entry(cause: bytes, *, message_id: bytes = b"3EB0") -> bytes:
    """Return a log entry as the library hands it over."""
    return b"\n\xe4\x01Error decrypting message " + message_id + b" from 7@lid: " + cause + TAIL


TAIL = b"\x12\x04WARN\x1a\x06Client"


@pytest.mark.parametrize(
    "cause",
    [
        PREKEY + LOADING + b"read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer",
        PREKEY + LOADING + b"EOF",
        NORMAL + LOADING + b"dial tcp 127.0.0.1:2: connect: connection refused",
        NORMAL + b"failed to store session: pq: the database system is shutting down (57P03)",
        NORMAL + b"failed to check if store has session for 7_1:0: driver: bad connection",
        b"failed to decrypt group message: write tcp 127.0.0.1:1->127.0.0.1:2: broken pipe",
    ],
)
def test_a_store_that_fails(cause: bytes) -> None:
    """It is told by its driver's errors."""
    assert store_failure(entry(cause)) == "3EB0"


@pytest.mark.parametrize(
    "line",
    [
        entry(NORMAL + b"message MAC mismatch"),
        entry(NORMAL + b"no valid sessions"),
        entry(b"failed to parse prekey message: unexpected EOF"),
        entry(NORMAL + b"no sender key", message_id=b"pq: x from 7@lid: " + NORMAL + b"pq: "),
        b"\n\x10Failed to get LID: pq: gone" + TAIL,
        b"",
    ],
)
def test_a_message_that_cannot_be_read(line: bytes) -> None:
    """Whatever its writer calls it: a store that is in order has no part in that."""
    assert store_failure(line) is None


def test_the_cut_comes_first() -> None:
    """Then the loop hears of it; the event of the same message is not for anybody."""
    heard: list[str] = []
    watch = StoreWatch(cut=lambda: heard.append("cut"), failed=lambda: heard.append("failed"))

    watch.log(entry(NORMAL + b"pq: gone"))
    watch.log(entry(NORMAL + b"message MAC mismatch", message_id=b"OTHER"))

    assert heard == ["cut", "failed"]
    assert watch.is_kept("3EB0")
    assert not watch.is_kept("OTHER")
