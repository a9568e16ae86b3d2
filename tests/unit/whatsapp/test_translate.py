"""A host's frames as the port's values and errors."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway_contracts import ReceiptStatus, TextContent, UnsupportedContent
from gateway_contracts.events import Participant
from gateway_worker.errors import (
    InvalidCommandError,
    RecipientNotOnWhatsAppError,
    SessionNotConnectedError,
    UncertainError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
)
from gateway_worker.host_protocol.wire import Person
from gateway_worker.sessions.hosting import InboundMessage, InboundReceipt, LinkEnded
from gateway_worker.whatsapp.ipc import frames
from gateway_worker.whatsapp.ipc.frames import Failure
from gateway_worker.whatsapp.translate import error_of, host_event

BEN = Person(jid="1@s.whatsapp.net", lid="2@lid", phone_number="+1", push_name="Ben")
PARTICIPANT = Participant(jid="1@s.whatsapp.net", lid="2@lid", phone_number="+1", push_name="Ben")
MOMENT = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


def message(content: dict[str, Any]) -> frames.Message:
    """Return a message's frame."""
    return frames.Message(
        record=3,
        message_id="A",
        chat="1@s.whatsapp.net",
        sender=BEN,
        from_me=False,
        is_group=False,
        timestamp=int(MOMENT.timestamp()),
        content=content,
        quoted_id="B",
        quoted_participant="5@s.whatsapp.net",
        offline=True,
    )


def test_a_text() -> None:
    """Every field arrives."""
    assert host_event(
        message({"kind": "text", "text": "hi", "mentions": ["5@s.whatsapp.net"]})
    ) == InboundMessage(
        record=3,
        message_id="A",
        chat="1@s.whatsapp.net",
        sender=PARTICIPANT,
        from_me=False,
        is_group=False,
        timestamp=MOMENT,
        content=TextContent(text="hi", mentions=("5@s.whatsapp.net",)),
        quoted_id="B",
        quoted_participant="5@s.whatsapp.net",
        offline=True,
    )


def test_another_kind() -> None:
    """It is announced by its name."""
    event = host_event(message({"kind": "unsupported", "message_type": "imageMessage"}))

    assert isinstance(event, InboundMessage)
    assert event.content == UnsupportedContent(message_type="imageMessage")


@pytest.mark.parametrize("content", [{"kind": "text"}, {"kind": "hologram"}, {"kind": 5}, {}])
def test_a_content_that_is_none_of_the_contract_s(content: dict[str, Any]) -> None:
    """It is announced by what it says that it is, and in part."""
    event = host_event(message(content))

    assert isinstance(event, InboundMessage)
    assert event.content == UnsupportedContent(message_type=str(content.get("kind")))
    assert event.partial


def test_a_receipt() -> None:
    """Every field arrives."""
    frame = frames.Receipt(
        record=4,
        message_ids=("A", "B"),
        chat="1@s.whatsapp.net",
        participant=BEN,
        status="read",
        timestamp=int(MOMENT.timestamp()),
    )

    assert host_event(frame) == InboundReceipt(
        record=4,
        message_ids=("A", "B"),
        chat="1@s.whatsapp.net",
        participant=PARTICIPANT,
        status=ReceiptStatus.READ,
        timestamp=MOMENT,
    )


def test_an_end() -> None:
    """The reason and the wait are kept."""
    frame = frames.Ended(reason="temporary_ban", detail="banned", retry_after_seconds=60)

    expected = LinkEnded(reason="temporary_ban", detail="banned", retry_after_seconds=60)
    assert host_event(frame) == expected


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Failure.NOT_BEGUN, SessionNotConnectedError),
        (Failure.NOT_CONNECTED, SessionNotConnectedError),
        (Failure.UNKNOWN_RECIPIENT, RecipientNotOnWhatsAppError),
        (Failure.INVALID, InvalidCommandError),
        (Failure.REJECTED, UpstreamRejectedError),
        (Failure.TIMED_OUT, UpstreamTimeoutError),
        (Failure.UNCERTAIN, UncertainError),
        ("of a later release", UncertainError),
    ],
)
def test_errors(kind: str, error: type[Exception]) -> None:
    """Each kind has its error; one that is not known counts as uncertain."""
    found = error_of(frames.Failed(request=1, kind=kind, detail="so"))

    assert type(found) is error
    assert found.detail == "so"
