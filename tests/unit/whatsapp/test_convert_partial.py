"""What does not fit the contract is told as far as it does, and says so."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from gateway_contracts import TextContent, UndecryptableReason, UnsupportedContent
from gateway_contracts.events import Notice
from gateway_contracts.model import MessageId
from gateway_worker.sessions.inbound.arrivals import ARRIVALS
from gateway_worker.whatsapp.convert.arrival import (
    CHAT_READ,
    MESSAGE_RECEIPT,
    MESSAGE_RECEIVED,
    MESSAGE_SENT,
    MESSAGE_UNDECRYPTABLE,
    STATUS_POSTED,
    STATUS_RECEIVED,
)
from gateway_worker.whatsapp.convert.history import HISTORY_MESSAGES
from gateway_worker.whatsapp.convert.kinds import EVENTS
from gateway_worker.whatsapp.convert.message import message
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.receipt import receipt
from gateway_worker.whatsapp.convert.salvage import salvaged
from gateway_worker.whatsapp.convert.undecryptable import undecryptable
from tests.support.arrivals import (
    InboundMessage,
    InboundReceipt,
    UndecryptableMessage,
    arrived,
    event,
    through,
)
from tests.unit.whatsapp.library_messages import LID, arrival, e2e, events, jid, source
from tests.unit.whatsapp.test_convert_strangers import field

PEOPLE = People(phone_of={"900": "4915550009"}.get)
BEN = jid("802", LID, 3)
HELLO = e2e.Message(conversation="Hello")
TIMES = {
    "absent": -62_135_596_800,
    "negative": -5,
    "none": 0,
    "milliseconds": 1_790_000_000_000,
    "year 60000": 1_831_000_000_000,
    "huge": 9_000_000_000_000_000,
}
IDS = ["", " ", "two words", "ümlaut", "A" * 129, "NUL\x00"]


def told(event: Any) -> InboundMessage:
    """Convert a message that has to be told."""
    frame = message(event, offline=False, people=PEOPLE)
    assert frame is not None
    arrived = through(frame)
    assert isinstance(arrived, InboundMessage)
    return arrived


def from_ben(content: Any = HELLO, **more: Any) -> Any:
    """Return a message event."""
    return arrival(content, origin=source(Chat=BEN, Sender=BEN), **more)


def is_now(moment: datetime) -> bool:
    """Whether a moment is that of this test."""
    return abs(datetime.now(UTC) - moment) < timedelta(minutes=5)


def test_what_fits_is_not_partial() -> None:
    """The rest of these tests would prove nothing otherwise."""
    arrived = told(from_ben())

    assert not arrived.partial
    assert not is_now(arrived.timestamp)


@pytest.mark.parametrize("seconds", TIMES.values(), ids=TIMES.keys())
def test_a_message_with_a_time_that_is_none(seconds: int) -> None:
    """The moment of its arrival stands for it; all else is as it was written."""
    event = from_ben()
    event.Info.Timestamp = seconds * 1000

    arrived = told(event)

    assert (arrived.partial, arrived.message_id, arrived.chat) == (True, "3EB0AA", "802@lid")
    assert arrived.content == TextContent(text="Hello")
    assert is_now(arrived.timestamp)


@pytest.mark.parametrize("seconds", TIMES.values(), ids=TIMES.keys())
def test_a_receipt_with_a_time_that_is_none(seconds: int) -> None:
    """Likewise; a word of an unreadable message just has none."""
    origin = source(Chat=BEN, Sender=BEN)
    event = events.Receipt(MessageSource=origin, MessageIDs=["A"], Timestamp=seconds, Type=4)
    (frame,) = receipt(event, people=PEOPLE)
    arrived = through(frame)
    assert isinstance(arrived, InboundReceipt)
    assert (arrived.partial, arrived.message_id, is_now(arrived.timestamp)) == (True, "A", True)

    word = events.UndecryptableMessage(Info=from_ben().Info)
    word.Info.Timestamp = seconds * 1000
    found = undecryptable(word, people=PEOPLE)
    assert found is not None
    assert isinstance(unreadable := through(found), UndecryptableMessage)
    assert unreadable.timestamp is None


@pytest.mark.parametrize("identity", IDS)
def test_an_id_that_is_none(identity: str) -> None:
    """Another stands for it, the same for message and receipt, and the contract takes it."""
    arrived = told(from_ben(message_id=identity))
    again = told(from_ben(message_id=identity))
    TypeAdapter(MessageId).validate_python(arrived.message_id)
    assert arrived.message_id.startswith("invalid-")
    assert (arrived.partial, arrived.message_id) == (True, again.message_id)

    event = events.Receipt(
        MessageSource=source(Chat=BEN, Sender=BEN), MessageIDs=[identity, "B"], Timestamp=1, Type=1
    )
    found = receipt(event, people=PEOPLE)
    expected = ["B"] if not identity else [arrived.message_id, "B"]
    assert [one.data["message_id"] for one in found] == expected
    assert {one.is_partial for one in found} == {bool(identity)}


def test_messages_without_an_id_are_told_apart() -> None:
    """By what else they are."""
    texts = [e2e.Message(conversation=one) for one in "ab"]
    assert len({told(from_ben(text, message_id="")).message_id for text in texts}) == 2


@pytest.mark.parametrize("user", ["", "1" * 300, "a\x00b"])
def test_a_chat_that_is_none(user: str) -> None:
    """It is told under what can be told of it."""
    who = jid(user, LID)
    arrived = told(arrival(HELLO, origin=source(Chat=who, Sender=who)))

    assert arrived.partial
    assert 0 < len(arrived.chat) <= 128
    assert "\x00" not in arrived.chat


def test_long_ids_that_begin_alike_stay_apart() -> None:
    """Cut at the same place they would be one chat."""
    chats = set()
    for end in "ab":
        who = jid("1" * 300 + end, LID)
        chats.add(told(arrival(HELLO, origin=source(Chat=who, Sender=who))).chat)
    assert len(chats) == 2


def test_no_ids_at_all() -> None:
    """An event of nothing is told as that."""
    arrived = told(arrival(HELLO, origin=source(), message_id="", name=""))

    assert (arrived.partial, arrived.chat) == (True, "unknown")


def test_a_text_that_is_cut() -> None:
    """And what it names and quotes."""
    context = e2e.ContextInfo(stanzaID="no id", mentionedJID=["1@s.whatsapp.net"] * 2000)
    text = e2e.ExtendedTextMessage(text="\x01" * 300_000, contextInfo=context)
    whole = e2e.ExtendedTextMessage(text="x")

    assert told(from_ben(e2e.Message(extendedTextMessage=text))).partial
    assert told(from_ben(e2e.Message(conversation="x" * 300_000))).partial
    assert not told(from_ben(e2e.Message(extendedTextMessage=whole))).partial


def test_a_kind_of_protocol_message_that_has_no_name() -> None:
    """It reads as a revocation, which it is not."""
    unknown = e2e.Message.FromString(field(12, b"\x10\xe7\x07"))
    arrived = told(from_ben(unknown))

    assert arrived.content == UnsupportedContent(message_type="protocolMessage")
    assert arrived.partial


def nested(depth: int) -> bytes:
    """Return a content that quotes itself so often, as bytes: Python refuses to build it."""
    content = field(1, b"deep")
    for _ in range(depth):
        content = field(6, field(1, b"t") + field(17, field(3, content)))
    return content


@pytest.mark.parametrize("end", [nested(120), b"\xff\xff", field(2, b"\x0a\xff")[:-1]])
def test_a_content_that_cannot_be_read(end: bytes) -> None:
    """Who wrote, when and where is told."""
    info = from_ben(e2e.Message()).SerializePartialToString()
    payload = info[: -len(field(2, b""))] + field(2, end)
    frame = salvaged(payload, parse=events.Message.FromString, offline=True, people=PEOPLE)
    assert frame is not None
    arrived = through(frame)

    assert isinstance(arrived, InboundMessage)
    assert arrived.content == UnsupportedContent(message_type="unreadable")
    assert (arrived.message_id, arrived.chat, arrived.partial) == ("3EB0AA", "802@lid", True)
    assert not is_now(arrived.timestamp)


@pytest.mark.parametrize("payload", [b"", b"\xff" * 40, b"\x0a\xff", field(1, b"\xff")])
def test_nothing_that_can_be_read(payload: bytes) -> None:
    """That there was something is told."""
    frame = salvaged(payload, parse=events.Message.FromString, offline=False, people=PEOPLE)
    assert frame is not None
    arrived = through(frame, record=7)

    assert isinstance(arrived, UndecryptableMessage)
    assert (arrived.record, arrived.reason) == (7, UndecryptableReason.UNREADABLE)
    assert (arrived.chat, arrived.sender, arrived.timestamp) == (None, None, None)


MESSAGE = {
    "message_id": "A",
    "chat": "c",
    "sender": {"jid": "j"},
    "timestamp": "2026-11-24T06:00:00Z",
    "content": {"kind": "text", "text": "x"},
}


@pytest.mark.parametrize(
    "values",
    [
        {"chat": "x" * 200},
        {"message_id": "x" * 200},
        {"sender": {"jid": "x" * 200}},
        {"sender": {"jid": "x" * 200}, "content": {}},
        {"timestamp": "yesterday"},
        {"content": None, "chat": None},
    ],
    ids=str,
)
def test_a_host_that_says_what_does_not_fit(values: dict[str, Any]) -> None:
    """It is told that there was something, for only hosts that are taken over say so."""
    told = event(MESSAGE_RECEIVED, {**MESSAGE, **values})

    assert isinstance(found := arrived(told, fits=False), UndecryptableMessage)
    assert found.reason is UndecryptableReason.UNREADABLE
    assert found.message_id.startswith("invalid-")


@pytest.mark.parametrize("type_", ["wa.command.succeeded.v1", "wa.session.status.v1", "x"])
def test_a_host_that_tells_what_is_no_arrival(type_: str) -> None:
    """It cannot say how a command has ended."""
    assert isinstance(arrived(event(type_, MESSAGE), fits=False), UndecryptableMessage)


@pytest.mark.parametrize("content", [{"kind": "text"}, {"kind": "hologram"}, {"kind": 5}, {}])
@pytest.mark.parametrize("type_", [MESSAGE_RECEIVED, STATUS_RECEIVED])
def test_a_content_that_is_none_of_the_contract_s(type_: str, content: dict[str, Any]) -> None:
    """It is announced by what it says that it is, and in part."""
    told = event(type_, {**MESSAGE, "content": content})

    assert isinstance(found := arrived(told, fits=False), InboundMessage)
    assert found.content == UnsupportedContent(message_type=str(content.get("kind")))
    assert (found.message_id, found.partial) == ("A", True)


def test_types_of_events_are_the_contract_s() -> None:
    """Hosts write them out, because they do not have the contract."""
    notices = {model.model_fields["type"].default for model in get_args(Notice)}
    assert set(ARRIVALS) - notices == {
        MESSAGE_RECEIVED,
        MESSAGE_SENT,
        MESSAGE_RECEIPT,
        MESSAGE_UNDECRYPTABLE,
        STATUS_POSTED,
        STATUS_RECEIVED,
        CHAT_READ,
        HISTORY_MESSAGES,
        *EVENTS.values(),
    }
