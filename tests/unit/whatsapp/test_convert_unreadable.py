"""Messages that cannot be read, from lines of the library's log and from its events."""

from typing import Any

import pytest

from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.undecryptable import old_counter, swallowed, undecryptable
from gateway_worker.whatsapp.ipc.frames import Undecryptable
from tests.unit.whatsapp.library_messages import GROUP, LID, events, jid, source

PHONES = {"77": "4915500001"}
PEOPLE = People(phone_of=PHONES.get)
TAIL = b": failed to decrypt normal message: received message with old counter\x12\x04WARN"


def read(line: bytes) -> Undecryptable | None:
    """Return what a line of the log becomes."""
    payload = swallowed(b"\n\x60Ignoring message " + line + TAIL)
    assert payload is not None
    return old_counter(payload, record=4, people=PEOPLE)


@pytest.mark.parametrize(
    ("line", "chat", "sender"),
    [
        (b"3EB0 from 77@lid", "4915500001@s.whatsapp.net", "4915500001@s.whatsapp.net"),
        (
            b"3EB0 from 77:12@lid in 77@lid",
            "4915500001@s.whatsapp.net",
            "4915500001@s.whatsapp.net",
        ),
        (b"3EB0 from 88@lid in 1203@g.us", "1203@g.us", "88@lid"),
        (b"3EB0 from 49@s.whatsapp.net", "49@s.whatsapp.net", "49@s.whatsapp.net"),
        (b"3EB0 from 1203@g.us", "1203@g.us", None),
    ],
)
def test_a_line_of_the_log(line: bytes, chat: str, sender: str | None) -> None:
    """Writer and conversation by phone number where that is known."""
    frame = read(line)

    assert frame is not None
    assert (frame.message_id, frame.record, frame.reason) == ("3EB0", 4, "old_counter")
    assert (frame.chat, frame.sender and frame.sender.jid) == (chat, sender)


def test_what_is_not_announced() -> None:
    """Stories; for an id that is none another stands."""
    assert read(b"3EB0 from 7@lid in status@broadcast") is None
    odd = read(b"\xff from 7@lid")
    assert odd is not None
    assert odd.message_id.startswith("invalid-")


@pytest.mark.parametrize(
    "line",
    [
        b"Ignoring message 3EB0 from 7@lid: duplicate",
        b"received message with old counter",
        b"",
        b"\x00\xff",
    ],
)
def test_other_lines(line: bytes) -> None:
    """They are not looked at."""
    assert swallowed(line) is None


def _event(origin: Any, *, identity: str = "3EB0") -> Any:
    info = events.MessageInfo(
        MessageSource=origin, ID=identity, Pushname="", Timestamp=5_000, Type="text", ServerID=0
    )
    return events.UndecryptableMessage(Info=info, IsUnavailable=False, DecryptFailMode=1)


def test_an_event() -> None:
    """As a message that could be read, so that both can be joined by chat and id."""
    origin = source(Chat=jid("77", LID), Sender=jid("77", LID, 3))

    frame = undecryptable(_event(origin), record=9, people=PEOPLE)

    assert frame is not None
    assert frame.chat == "4915500001@s.whatsapp.net"
    assert frame.sender is not None
    assert (frame.sender.jid, frame.sender.lid) == ("4915500001@s.whatsapp.net", "77@lid")
    assert (frame.timestamp, frame.reason, frame.record) == (5, "undecryptable", 9)


def test_an_event_in_a_group_and_one_that_is_none() -> None:
    """The group is the conversation; for an id that does not fit the contract another stands."""
    origin = source(Chat=jid("1203", GROUP), Sender=jid("49"), IsGroup=True)

    frame = undecryptable(_event(origin), record=1, people=PEOPLE)

    assert frame is not None
    assert frame.chat == "1203@g.us"
    odd = undecryptable(_event(origin, identity="a b"), record=1, people=PEOPLE)
    assert odd is not None
    assert odd.message_id.startswith("invalid-")
