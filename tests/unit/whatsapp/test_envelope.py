"""What is told beside a message's content."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_contracts import MessageReceived
from gateway_worker.sessions.inbound.arrivals import arrival as read
from gateway_worker.whatsapp.convert.message import message
from gateway_worker.whatsapp.convert.people import People
from tests.support.arrivals import event
from tests.unit.whatsapp.library_messages import LID, arrival, e2e, jid, source

PEOPLE = People(phone_of={"900": "4915550009"}.get)


def told(content: Any) -> Any:
    """Return the data of the event that tells of a message."""
    found = arrival(content, origin=source(Chat=jid("802", LID), Sender=jid("802", LID, 3)))
    frame = message(found, offline=False, people=PEOPLE)
    assert frame is not None
    parsed, fits = read(event(frame.type, frame.data), source="/workers/w", session_id="s")
    assert fits
    assert isinstance(parsed, MessageReceived)
    return parsed.data


def text(**context: Any) -> Any:
    """Return a text with a context."""
    extended = e2e.ExtendedTextMessage(text="re", contextInfo=e2e.ContextInfo(**context))
    return e2e.Message(extendedTextMessage=extended)


@pytest.mark.parametrize(
    ("quoted", "kind", "words"),
    [
        (e2e.Message(conversation="hello"), "text", "hello"),
        (text(stanzaID="3EB0R", quotedMessage=e2e.Message(conversation="deeper")), "text", "re"),
        (
            e2e.Message(
                ephemeralMessage=e2e.FutureProofMessage(
                    message=e2e.Message(locationMessage=e2e.LocationMessage(name="Pier"))
                )
            ),
            "location",
            "Pier",
        ),
        (e2e.Message(locationMessage=e2e.LocationMessage()), "location", None),
        (e2e.Message(invoiceMessage=e2e.InvoiceMessage()), "unsupported", None),
        (e2e.Message(conversation="x" * 5_000), "text", "x" * 4_096),
        (e2e.Message(), None, None),
    ],
)
def test_what_is_quoted(quoted: Any, kind: str | None, words: str | None) -> None:
    """By kind and text, as its sender shows it."""
    data = told(text(stanzaID="3EB0Q", participant="900@lid", quotedMessage=quoted))

    assert (data.reply_to.kind, data.reply_to.text) == (kind, words)
    assert data.reply_to.participant == "4915550009@s.whatsapp.net"
    assert not data.partial


@pytest.mark.parametrize(
    ("place", "chat"),
    [
        ("", None),
        ("802@lid", None),
        ("status@broadcast", "status@broadcast"),
        ("120363000000000001@g.us", "120363000000000001@g.us"),
    ],
)
def test_where_stands_what_is_quoted(place: str, chat: str | None) -> None:
    """A group's member is answered in private, or a status post; else it is in this chat."""
    data = told(text(stanzaID="3EB0Q", participant="900@lid", remoteJID=place))

    assert data.reply_to.chat == chat
    assert not data.partial


@pytest.mark.parametrize(
    ("context", "score", "many"),
    [
        ({"isForwarded": True}, 0, False),
        ({"isForwarded": True, "forwardingScore": 1}, 1, False),
        ({"isForwarded": True, "forwardingScore": 5}, 5, True),
        ({"forwardingScore": 127}, 127, True),
    ],
)
def test_what_is_forwarded(context: dict[str, Any], score: int, many: bool) -> None:  # noqa: FBT001
    """How often, and whether apps say so."""
    forwarded = told(text(**context)).forwarded

    assert (forwarded.score, forwarded.many) == (score, many)


def test_what_disappears() -> None:
    """After how long; nothing if it does not, or not in anybody's lifetime."""
    assert told(text(expiration=86_400)).disappearing_seconds == 86_400
    assert told(text(expiration=0)).disappearing_seconds is None
    assert told(text(expiration=4_294_967_295)).disappearing_seconds is None


def test_where_somebody_comes_from() -> None:
    """An advertisement or a link, as far as that is told."""
    ad = {
        "title": "Spring sale",
        "body": "Everything must go.",
        "mediaURL": "https://example.com/v",
        "sourceType": "ad",
        "sourceID": "12",
        "sourceURL": "https://example.com",
        "sourceApp": "facebook",
        "ctwaClid": "ARAk",
        "ref": "spring",
    }
    referral = told(
        text(
            externalAdReply=ad,
            entryPointConversionSource="ctwa_ad",
            entryPointConversionApp="facebook",
            entryPointConversionDelaySeconds=12,
        )
    ).referral

    assert referral.model_dump() == {
        "source_type": "ad",
        "source_id": "12",
        "source_url": "https://example.com",
        "source_app": "facebook",
        "headline": "Spring sale",
        "body": "Everything must go.",
        "media_url": "https://example.com/v",
        "click_id": "ARAk",
        "reference": "spring",
        "entry_point": "ctwa_ad",
        "entry_point_app": "facebook",
        "entry_point_delay_seconds": 12,
    }
    assert told(text(isForwarded=True)).referral is None


def test_a_business() -> None:
    """Its certified name is told beside the one that it gives itself."""
    found = arrival(text(), origin=source(Chat=jid("802", LID), Sender=jid("802", LID)))
    found.Info.VerifiedName.Details.verifiedName = "Ben's Bakery"

    frame = message(found, offline=False, people=PEOPLE)

    assert frame is not None
    assert frame.data["sender"].verified_name == "Ben's Bakery"


def test_a_part_of_an_album() -> None:
    """It names the album's message."""
    content = text()
    association = content.messageContextInfo.messageAssociation
    association.associationType = association.MEDIA_ALBUM
    association.parentMessageKey.ID = "3EB0A1"

    assert told(content).album_id == "3EB0A1"
    association.associationType = association.STICKER_ANNOTATION
    assert told(content).album_id is None


@pytest.mark.parametrize("kind", ["HD_IMAGE_DUAL_UPLOAD", "HD_VIDEO_DUAL_UPLOAD"])
@pytest.mark.parametrize("is_inside", [False, True], ids=["around it", "in it"])
def test_the_same_once_more_in_high_definition(kind: str, *, is_inside: bool) -> None:
    """It names the message that has come before, wherever its sender's app says so."""
    content = e2e.Message()
    inner = content.associatedChildMessage.message
    inner.imageMessage.caption = "at the sea"
    where = inner if is_inside else content
    association = where.messageContextInfo.messageAssociation
    association.associationType = getattr(association, kind)
    association.parentMessageKey.ID = "3EB0A1"

    found = told(content)

    assert (found.hd_of, found.album_id) == ("3EB0A1", None)
    assert found.content.kind == "image"
