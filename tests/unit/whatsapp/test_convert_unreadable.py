"""Messages that cannot be read, from lines of the library's log and from its events."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.log_entries import text_of
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.undecryptable import old_counter, swallowed, undecryptable
from tests.support.arrivals import UndecryptableMessage, through
from tests.unit.whatsapp.library_messages import GROUP, LID, events, jid, source

PHONES = {"77": "4915500001"}
PEOPLE = People(phone_of=PHONES.get)
TAIL = b": failed to decrypt normal message: received message with old counter"


def arrives(found: Arrival | None) -> UndecryptableMessage | None:
    """Return how it arrives, if it does."""
    if found is None:
        return None
    arrived = through(found)
    assert isinstance(arrived, UndecryptableMessage)
    return arrived


def read(line: bytes) -> UndecryptableMessage | None:
    """Return what a line of the log becomes."""
    payload = swallowed(b"Ignoring message " + line + TAIL)
    assert payload is not None
    return arrives(old_counter(payload, people=PEOPLE))


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
        (
            b"3EB0 from 77@lid in status@broadcast",
            "status@broadcast",
            "4915500001@s.whatsapp.net",
        ),
        (b"3EB0 from 49@s.whatsapp.net", "49@s.whatsapp.net", "49@s.whatsapp.net"),
        (b"3EB0 from 1203@g.us", "1203@g.us", None),
    ],
)
def test_a_line_of_the_log(line: bytes, chat: str, sender: str | None) -> None:
    """Writer and conversation by phone number where that is known."""
    frame = read(line)

    assert frame is not None
    assert (frame.message_id, frame.reason) == ("3EB0", "old_counter")
    assert (frame.chat, frame.sender) == (chat, sender)


def test_an_id_that_is_none() -> None:
    """Another stands for it."""
    odd = read(b"\xff from 7@lid")
    assert odd is not None
    assert odd.message_id.startswith("invalid-")


@pytest.mark.parametrize(
    "called", [b"3EB0 from 88@lid" + TAIL, b"3EB0 from 88@lid in 1203@g.us", b"a\0b\0c", b"a\nb"]
)
def test_whoever_is_named_in_an_id_has_not_written_it(called: bytes) -> None:
    """Its writer chooses it, and the library says it as it is."""
    found = read(called + b" from 77:12@lid in 77@lid")
    assert found is not None
    assert (found.chat, found.sender) == ("4915500001@s.whatsapp.net",) * 2
    assert found.message_id.startswith("invalid-")


def test_an_id_of_any_length_costs_little() -> None:
    """Its sender may repeat in it what such a line holds; only the end of the line is looked at."""
    odd = b"a from 88@lid: " * 100_000
    line = b"Ignoring message " + odd + b" from 77@lid"
    payload = swallowed(line + TAIL)
    assert payload is not None
    assert payload.endswith(b"\0" + b"77@lid" + b"\0")
    assert len(payload) < 2_000
    assert swallowed(line + b": duplicate") is None
    assert swallowed(b"Ignoring message " + odd.replace(b"@", b"!")) is None


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (
            events.LogEntry(Message="x" * 300, Level="WARN", Name="Client").SerializeToString(),
            b"x" * 300,
        ),
        (events.LogEntry(Message="", Level="WARN", Name="Client").SerializeToString(), b""),
        (b"\n\x05cut", b"cut"),
        (b"\n" + b"\xff" * 9, b""),
        (b"\x12\x04WARN", b""),
        (b"\n", b""),
        (b"", b""),
    ],
)
def test_the_text_of_an_entry_of_the_log(entry: bytes, text: bytes) -> None:
    """Which begins where it begins."""
    assert text_of(entry) == text


@pytest.mark.parametrize(
    "line",
    [
        b"Ignoring message 3EB0 from 7@lid: duplicate",
        b"received message with old counter",
        b"Error decrypting message Ignoring message 3EB0 from 7@lid" + TAIL + b" from 8@lid: gone",
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

    frame = arrives(undecryptable(_event(origin), people=PEOPLE))

    assert frame is not None
    assert frame.chat == "4915500001@s.whatsapp.net"
    assert frame.sender == "4915500001@s.whatsapp.net"
    assert frame.timestamp == datetime.fromtimestamp(5, tz=UTC)
    assert frame.reason == "undecryptable"


def test_what_may_be_viewed_once() -> None:
    """WhatsApp keeps it from linked devices, and says so in its place."""
    event = _event(source(Chat=jid("77", LID), Sender=jid("77", LID)))
    event.IsUnavailable = True

    frame = arrives(undecryptable(event, people=PEOPLE))

    assert frame is not None
    assert frame.reason == "view_once"


def test_an_event_in_a_group_and_one_that_is_none() -> None:
    """The group is the conversation; for an id that does not fit the contract another stands."""
    origin = source(Chat=jid("1203", GROUP), Sender=jid("49"), IsGroup=True)

    frame = arrives(undecryptable(_event(origin), people=PEOPLE))

    assert frame is not None
    assert frame.chat == "1203@g.us"
    odd = arrives(undecryptable(_event(origin, identity="a b"), people=PEOPLE))
    assert odd is not None
    assert odd.message_id.startswith("invalid-")
