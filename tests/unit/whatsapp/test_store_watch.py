"""Which lines of the library's log mean that the device store has failed a message."""

import threading

import pytest

from gateway_worker.whatsapp.host.store_watch import StoreWatch, failed_to_encrypt, failed_to_read

LOADING = b"failed to load session with 7_1:0: "
PREKEY = b"failed to decrypt prekey message: "
NORMAL = b"failed to decrypt normal message: "


def entry(cause: bytes, *, message_id: bytes = b"3EB0") -> bytes:
    """Return the text of a log entry about a message that cannot be read."""
    return b"Error decrypting message " + message_id + b" from 7@lid: " + cause


@pytest.mark.parametrize(
    "cause",
    [
        PREKEY + LOADING + b"unable to open database file: no such file or directory",
        NORMAL + b"failed to check if store has session for 7_1:0: sql: database is closed",
        b"failed to decrypt group message: database is locked",
        NORMAL + b"failed to store session with 7_1:0: database or disk is full",
        NORMAL + b"failed to store session with 7_1:0: disk I/O error: file too large",
        PREKEY + b"failed to remove prekey 3: attempt to write a readonly database",
    ],
)
def test_a_store_that_fails(cause: bytes) -> None:
    """It is told by its driver's errors."""
    assert failed_to_read(entry(cause)) == "3EB0"


@pytest.mark.parametrize(
    "line",
    [
        entry(NORMAL + b"message MAC mismatch"),
        entry(NORMAL + b"no valid sessions"),
        entry(b"failed to parse prekey message: unexpected EOF"),
        entry(NORMAL + b"no sender key", message_id=b"sql: x from 7@lid: " + NORMAL + b"sql: "),
        b"Failed to get LID: sql: gone",
        b"Ignoring message " + entry(NORMAL + b"sql: ") + b" from 7@lid: gone",
        b"",
    ],
)
def test_a_message_that_cannot_be_read(line: bytes) -> None:
    """Whatever its writer calls it: a store that is in order has no part in that."""
    assert failed_to_read(line) is None


def test_a_store_that_fails_whatever_a_message_is_called() -> None:
    """Its writer chooses that, and it may look like the rest of the line."""
    for message_id in (b"a b", b"x from 7@lid: y", b"x\ny", NORMAL):
        line = entry(NORMAL + b"disk I/O error", message_id=message_id)
        assert failed_to_read(line) == message_id.decode()


def refused(cause: bytes) -> bytes:
    """Return the text of a log entry about a device that gets no message."""
    return b"Failed to encrypt 3EB0 for 7:1@lid: " + cause


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (refused(b"failed to process prekey bundle: database or disk is full"), True),
        (refused(b"cipher encryption failed: attempt to write a readonly database"), True),
        (refused(b"can't encrypt message for device: no signal session established"), False),
        (entry(NORMAL + b"database or disk is full"), False),
        (entry(NORMAL + b"gone", message_id=refused(b"database or disk is full")), False),
        (b"", False),
    ],
)
def test_a_device_that_is_left_out(line: bytes, *, expected: bool) -> None:
    """Because of the store, or for reasons of its own."""
    assert failed_to_encrypt(line) is expected


class Watched:
    """A watch, and what it has done."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.disconnected = threading.Event()
        self.watch = StoreWatch(
            answered=lambda: self.heard.append("answered"),
            cut=lambda: self.heard.append("cut"),
            failed=self.failed,
            disconnected=self.disconnected,
        )

    def failed(self) -> None:
        """Be the host's loop, which disconnects the library, on another thread."""
        self.heard.append("failed")
        threading.Timer(0.05, self.disconnect).start()

    def disconnect(self) -> None:
        """Be done with that."""
        self.heard.append("disconnected")
        self.disconnected.set()


def test_what_was_sent_is_answered_then_comes_the_cut_and_the_library_waits_for_the_end() -> None:
    """Between them the loop hears of it; the event of the same message is not for anybody."""
    watched = Watched()
    watch = watched.watch

    watch.log(entry(NORMAL + b"disk I/O error"))

    assert watched.heard == ["answered", "cut", "failed", "disconnected"]
    assert watch.is_kept("3EB0")


def test_what_is_not_the_stores_fault_goes_on() -> None:
    """It is told like any message that cannot be read."""
    watched = Watched()

    watched.watch.log(entry(NORMAL + b"message MAC mismatch", message_id=b"OTHER"))

    assert watched.heard == []
    assert not watched.watch.is_kept("OTHER")


def test_a_message_that_the_store_keeps_from_going_is_held_too() -> None:
    """It is nobody's event, so there is none to keep back."""
    watched = Watched()

    watched.watch.log(refused(b"cipher encryption failed: database or disk is full"))

    assert watched.heard == ["cut", "failed", "disconnected"]
    assert not watched.watch.is_kept("3EB0")
