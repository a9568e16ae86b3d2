"""What strangers may write: whatever it is, it is announced or left out, and nothing breaks."""

from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_contracts import ImageContent, MediaState, TextContent
from gateway_worker.whatsapp.convert.message import message
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.receipt import STATUSES, receipt
from tests.support.arrivals import InboundMessage, InboundReceipt, through
from tests.unit.whatsapp.library_messages import LID, arrival, e2e, events, jid, source

PEOPLE = People(phone_of={"900": "4915550009"}.get)
BROKEN = b"a\xff\xed\xa0\x80\x00b"
"""No UTF-8: protobuf hands such a text over as bytes."""


def varint(value: int) -> bytes:
    """Return a number as protobuf writes it."""
    head = b""
    while value > 0x7F:
        head += bytes([value & 0x7F | 0x80])
        value >>= 7
    return head + bytes([value])


def field(number: int, value: bytes) -> bytes:
    """Return a field of a serialized message."""
    return varint(number << 3 | 2) + varint(len(value)) + value


CONTEXT = field(1, BROKEN) + field(2, BROKEN) + field(15, BROKEN)
CONTENTS = {
    "conversation": field(1, BROKEN),
    "extended text": field(6, field(1, BROKEN)),
}
PICTURES = {
    "texts": field(3, b"".join(field(number, BROKEN) for number in (1, 2, 3, 11))),
    "keys": field(3, b"".join(field(number, BROKEN) for number in (4, 8, 9, 16))),
    "context": field(3, field(17, CONTEXT)),
}
TEXTS = st.text() | st.binary(max_size=30).map(lambda data: data.decode(errors="replace"))


def converted(content: Any, *, name: str = "Ben", user: str = "802") -> InboundMessage | None:
    """Return how a message of somebody arrives."""
    who = jid(user, LID, 3)
    event = arrival(content, origin=source(Chat=who, Sender=who), name=name)
    found = message(event, offline=False, people=PEOPLE)
    if found is None:
        return None
    arrived = through(found)
    assert isinstance(arrived, InboundMessage)
    return arrived


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
def test_a_text_that_is_no_unicode_arrives_all_the_same(content: bytes) -> None:
    """What cannot be read is replaced, and so is NUL; the message is not lost."""
    frame = converted(e2e.Message.FromString(content))

    assert frame is not None
    assert isinstance(frame.content, TextContent)
    text = frame.content.text
    assert (text[0], text[-1]) == ("a", "b")
    assert "\x00" not in text


@pytest.mark.parametrize("content", PICTURES.values(), ids=PICTURES.keys())
def test_a_file_that_is_described_in_nonsense(content: bytes) -> None:
    """It is told as far as it can be read, and that it cannot be fetched."""
    frame = converted(e2e.Message.FromString(content))

    assert frame is not None
    assert isinstance(frame.content, ImageContent)
    assert frame.content.media.state is MediaState.FAILED


def test_a_context_that_is_no_unicode() -> None:
    """A quoted id of that kind is no id; who is mentioned is shown as far as it can be read."""
    text = field(1, b"hello") + field(17, CONTEXT)
    frame = converted(e2e.Message.FromString(field(6, text)))

    assert frame is not None
    assert (frame.quoted_id, frame.quoted_participant) == (None, None)
    assert isinstance(frame.content, TextContent)
    assert frame.content.text == "hello"
    assert len(frame.content.mentions) == 1


NUMBERS = st.sampled_from([one.number for one in e2e.Message.DESCRIPTOR.fields]) | st.integers(
    1, 20
)
FIELDS = st.recursive(
    st.binary(max_size=12) | st.just(BROKEN),
    lambda value: st.lists(st.builds(field, NUMBERS, value), max_size=4).map(b"".join),
    max_leaves=12,
)


@given(st.lists(st.builds(field, NUMBERS, FIELDS), max_size=4).map(b"".join))
@settings(deadline=None, max_examples=300)
def test_any_bytes_that_are_a_message(data: bytes) -> None:
    """They end as an event that the contract takes, or as nothing."""
    try:
        content = e2e.Message.FromString(data)
    except DecodeError:
        return
    converted(content)


@given(text=TEXTS, name=TEXTS, user=TEXTS, mention=TEXTS, quoted=TEXTS)
@settings(deadline=None)
def test_any_texts(text: str, name: str, user: str, mention: str, quoted: str) -> None:
    """In every place where a stranger may write: no NUL and not too long, or it is left out."""
    context = e2e.ContextInfo(mentionedJID=[mention], stanzaID=quoted, participant=mention)
    extended = e2e.ExtendedTextMessage(text=text, contextInfo=context)

    frame = converted(e2e.Message(extendedTextMessage=extended), name=name, user=user)

    assert frame is not None
    assert isinstance(frame.content, TextContent)
    assert frame.content.text == text.replace("\x00", "\N{REPLACEMENT CHARACTER}")


@given(ids=st.lists(TEXTS, max_size=5), user=TEXTS, kind=st.integers(1, 11))
@settings(deadline=None)
def test_any_receipt(ids: list[str], user: str, kind: int) -> None:
    """Another stands for each id that is none; a receipt that names nothing is left out."""
    who = jid(user, LID, 3)
    event = events.Receipt(
        MessageSource=source(Chat=who, Sender=who), MessageIDs=ids, Timestamp=1, Type=kind
    )

    found = [through(one) for one in receipt(event, people=PEOPLE)]

    named = [one.message_id for one in found if isinstance(one, InboundReceipt)]
    assert len(named) == (len([one for one in ids if one]) if kind in STATUSES else 0)
    assert all(one in ids or one.startswith("invalid-") for one in named)
