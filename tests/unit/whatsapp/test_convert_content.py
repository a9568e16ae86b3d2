"""What a message says, found under its wrappers."""

from typing import Any

import pytest

from gateway_worker.whatsapp.convert.captions import MAX_TEXT_CHARACTERS
from gateway_worker.whatsapp.convert.content import Said, said
from gateway_worker.whatsapp.convert.people import People
from tests.unit.whatsapp.library_messages import e2e


def text(said_text: str) -> dict[str, Any]:
    """Return a text as the contract writes it."""
    return {"kind": "text", "text": said_text}


PEOPLE = People(phone_of={"900": "4915550009"}.get)


def extended(text: str, **context: Any) -> Any:
    """Return a text with a context."""
    return e2e.Message(
        extendedTextMessage=e2e.ExtendedTextMessage(
            text=text, contextInfo=e2e.ContextInfo(**context)
        )
    )


def wrapped(field: str, inner: Any) -> Any:
    """Put a message into a wrapper."""
    message = e2e.Message()
    getattr(message, field).message.CopyFrom(inner)
    return message


def test_plain_text() -> None:
    """`conversation` is text."""
    expected = Said(content=text("hello"))

    assert said(e2e.Message(conversation="hello"), PEOPLE) == expected


def test_a_reply_with_mentions() -> None:
    """The quoted message and the people are named; LIDs become numbers where that is known."""
    message = extended(
        "@900 does",
        mentionedJID=["900@lid", "901@lid", "4915550001@s.whatsapp.net"],
        stanzaID="3EB0Q",
        participant="900:7@lid",
    )

    expected = Said(
        content={
            **text("@900 does"),
            "mentions": ["4915550009@s.whatsapp.net", "901@lid", "4915550001@s.whatsapp.net"],
        },
        envelope={
            "reply_to": {
                "message_id": "3EB0Q",
                "participant": "4915550009@s.whatsapp.net",
                "from_me": False,
            }
        },
    )
    assert said(message, PEOPLE) == expected


@pytest.mark.parametrize(
    "wrapper",
    ["ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "deviceSentMessage"],
)
def test_wrappers_are_taken_off(wrapper: str) -> None:
    """What disappears, may be seen once or was sent by the own phone is the text in it."""
    message = wrapped(wrapper, wrapped("ephemeralMessage", e2e.Message(conversation="inside")))

    found = said(message, PEOPLE)

    assert found is not None
    assert found.content == text("inside")


def test_wrappers_without_end() -> None:
    """A message that is only wrapping is announced as nested and not followed for ever."""
    message = e2e.Message(conversation="deep")
    for _ in range(20):
        message = wrapped("ephemeralMessage", message)

    assert said(message, PEOPLE) == Said.unsupported("nested")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (e2e.Message(sendPaymentMessage=e2e.SendPaymentMessage()), "sendPaymentMessage"),
        (e2e.Message(invoiceMessage=e2e.InvoiceMessage(note="?")), "invoiceMessage"),
    ],
)
def test_other_kinds_are_named(message: Any, kind: str) -> None:
    """What there is no kind for is announced by the library's name of it."""
    found = said(message, PEOPLE)

    assert found is not None
    assert found == Said.unsupported(kind)


def test_an_image_that_answers() -> None:
    """A quote is told of every kind that can have one, also of one that has no name here."""
    context = e2e.ContextInfo(stanzaID="3EB0Q", participant="9@lid")

    for message in (
        e2e.Message(imageMessage=e2e.ImageMessage(contextInfo=context)),
        e2e.Message(productMessage=e2e.ProductMessage(contextInfo=context)),
    ):
        found = said(message, PEOPLE)

        assert found is not None
        assert found.envelope == {
            "reply_to": {"message_id": "3EB0Q", "participant": "9@lid", "from_me": False}
        }


@pytest.mark.parametrize(
    "message",
    [
        e2e.Message(),
        e2e.Message(messageContextInfo=e2e.MessageContextInfo(messageSecret=b"x")),
        e2e.Message(
            senderKeyDistributionMessage=e2e.SenderKeyDistributionMessage(groupID="1@g.us")
        ),
        e2e.Message(protocolMessage=e2e.ProtocolMessage(type=6)),
        e2e.Message(protocolMessage=e2e.ProtocolMessage(type=5)),
        e2e.Message(deviceSentMessage=e2e.DeviceSentMessage(destinationJID="1@lid")),
    ],
)
def test_what_nobody_said(message: Any) -> None:
    """Keys, history and settings between devices are no messages."""
    assert said(message, PEOPLE) is None


@pytest.mark.parametrize(
    ("use", "name"), [(11, "SHARE_PHONE_NUMBER"), (25, "STATUS_MENTION_MESSAGE")]
)
def test_what_somebody_did_without_words(use: int, name: str) -> None:
    """It has no kind here, and is told by WhatsApp's name of it."""
    message = e2e.Message(protocolMessage=e2e.ProtocolMessage(type=use))

    found = said(message, PEOPLE)

    assert found is not None
    assert found.content == {"kind": "unsupported", "message_type": f"protocolMessage.{name}"}


def test_keys_beside_a_text() -> None:
    """The first text of a writer in a group brings a key along; the text counts."""
    message = e2e.Message(
        senderKeyDistributionMessage=e2e.SenderKeyDistributionMessage(groupID="1@g.us"),
        conversation="hello all",
    )

    assert said(message, PEOPLE) == Said(content=text("hello all"))


def test_text_that_would_break_what_comes_after() -> None:
    """NUL is replaced, endless text is cut, an impossible quote is left out; the last two show."""
    nul = said(e2e.Message(conversation="a\x00b"), PEOPLE)
    long = said(e2e.Message(conversation="x" * (MAX_TEXT_CHARACTERS + 1)), PEOPLE)
    quote = said(extended("re", stanzaID="not an id", participant="9@lid"), PEOPLE)

    assert nul is not None
    assert nul.content == text("a\ufffdb")
    assert long is not None
    assert long.content == text("x" * MAX_TEXT_CHARACTERS)
    assert (nul.is_partial, long.is_partial) == (False, True)
    assert quote == Said(content=text("re"), is_partial=True)
