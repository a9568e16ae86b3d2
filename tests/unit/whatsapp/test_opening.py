"""What is encrypted with another message's secret is opened, whichever ids are in its key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway_worker.host_protocol.wire import Person
from gateway_worker.sandbox.phones.content import edit_content, from_json, reaction_content
from gateway_worker.sandbox.phones.sealing import (
    Purpose,
    event_response,
    seal,
    sealed_comment,
    sealed_edit,
    sealed_reaction,
)
from gateway_worker.sandbox.phones.values import ChatMessage
from gateway_worker.sandbox.wire.jid import Jid, lid, pn
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.history import history_chat, history_message
from gateway_worker.whatsapp.convert.message import message
from gateway_worker.whatsapp.convert.opening import MessageSecret, opened_event, opened_past
from gateway_worker.whatsapp.convert.people import People
from tests.unit.whatsapp.library_messages import (
    GROUP,
    LID,
    arrival,
    e2e,
    jid,
    load,
    source,
)

web = load("waWeb.WAWebProtobufsWeb_pb2")
SECRET = bytes(range(32))
ID, CHAT = "3EB0AB", "120363000000000001@g.us"
ADA, BEN = lid("801"), lid("802")
ADAS_NUMBER, BENS_NUMBER = pn("4915550001"), pn("4915550002")
OWN = Person(jid="4915550009:3@s.whatsapp.net", lid="809:3@lid")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = People(phone_of={"801": "4915550001", "802": "4915550002"}.get, own=OWN)


def known(writer: Jid = ADA, **content: Any) -> ChatMessage:
    """Return a message as phones have it."""
    raw = from_json(
        {**(content or {"conversation": "hello"}), "messageContextInfo": {"messageSecret": ""}}
    )
    raw.messageContextInfo.messageSecret = SECRET
    return ChatMessage(
        message_id=ID,
        chat=Jid("120363000000000001", GROUP),
        sender=writer,
        sender_number="",
        from_me=False,
        kind="text",
        text="",
        quoted_id=None,
        target_id=None,
        mentions=(),
        sent_at=NOW,
        received_at=NOW,
        raw=raw.SerializeToString(),
    )


@dataclass
class Store:
    """What a device store has of messages' secrets."""

    writers: tuple[str, ...] = (str(ADA),)
    secret: bytes = SECRET
    chat: str = CHAT

    def of(self, chat: str, message_id: str) -> list[MessageSecret]:
        """Return what it has of one."""
        if (chat, message_id) != (self.chat, ID):
            return []
        other = [MessageSecret(writers=self.writers, secret=bytes(32))]
        return [*other, MessageSecret(writers=self.writers, secret=self.secret)]


def event_of(content: Any, sender: Any = None, alt: Any = None, **more: Any) -> Any:
    """Return the event of a message in the group."""
    library = e2e.Message.FromString(content.SerializeToString())
    origin = source(
        Chat=jid("120363000000000001", GROUP),
        Sender=sender or jid("802", LID, device=3),
        SenderAlt=alt or jid("4915550002"),
        IsGroup=True,
        **more,
    )
    return arrival(library, origin=origin, message_id="3EB0C0")


def opened(event: Any, store: Store | None = None) -> Arrival | None:
    """Return what is told of an event that was sealed."""
    told = message(event, offline=False, people=PEOPLE)
    assert told is not None
    assert told.is_sealed
    assert told.type in {"wa.message.received.v1", "wa.message.sent.v1"}
    assert told.content["kind"] == "unsupported"
    found = opened_event(event, people=PEOPLE, secrets_of=(store or Store()).of)
    return None if found is None else message(found, offline=False, people=PEOPLE)


def reaction(emoji: str = "+", *, sender: Jid = BEN, writer: Jid = ADA) -> Any:
    """Return a reaction to Ada's message, as a phone makes it."""
    about = known(writer)
    return sealed_reaction(reaction_content(emoji, about.as_target()), about, sender=sender)


def edit(new: dict[str, Any], about: ChatMessage, *, sender: Jid = ADA) -> Any:
    """Return an edit, as a phone makes it."""
    target = replace(about.as_target(), from_me=True, participant=None)
    return sealed_edit(edit_content(from_json(new), target), about, sender=sender)


def by_ada(content: Any) -> Any:
    """Return an event of Ada's."""
    return event_of(content, jid("801", LID, device=2), jid("4915550001"))


@pytest.mark.parametrize("emoji", ["+", ""])
@pytest.mark.parametrize("writer", [ADA, ADAS_NUMBER], ids=["lid", "number"])
@pytest.mark.parametrize("sender", [BEN, BENS_NUMBER], ids=["lid", "number"])
def test_a_reaction(emoji: str, writer: Jid, sender: Jid) -> None:
    """Given and taken back, by whichever ids."""
    store = Store(writers=(str(ADA), str(ADAS_NUMBER)))

    told = opened(event_of(reaction(emoji, sender=sender, writer=writer)), store)

    assert told is not None
    assert told.type == "wa.message.reaction.v1"
    assert not told.is_partial
    assert told.content == {
        "kind": "reaction",
        "emoji": emoji,
        "target": {
            "message_id": ID,
            "chat": CHAT,
            "participant": "4915550001@s.whatsapp.net",
            "from_me": False,
        },
    }


@pytest.mark.parametrize("alt", [jid("", ""), jid("4915550002")], ids=["alone", "with a number"])
def test_the_senders_number_is_known(alt: Any) -> None:
    """From the store, where the stanza does not bring it."""
    event = event_of(reaction(sender=BENS_NUMBER), alt=alt)

    told = opened(event)

    assert told is not None
    assert told.content["emoji"] == "+"


@pytest.mark.parametrize("sender", [lid("809"), pn("4915550009")], ids=["lid", "number"])
def test_a_reaction_of_the_accounts_owner(sender: Jid) -> None:
    """From the phone: it is one of the account's own."""
    event = event_of(reaction(sender=sender), jid("809", LID), jid("", ""), IsFromMe=True)

    told = opened(event)

    assert told is not None
    assert (told.type, told.data["from_me"]) == ("wa.message.reaction.v1", True)


def test_a_comment() -> None:
    """It is a message that answers what it is on, and says that it is a comment."""
    told = opened(event_of(sealed_comment("When?", known(), sender=BEN)))

    assert told is not None
    assert told.type == "wa.message.received.v1"
    assert told.content == {"kind": "text", "text": "When?"}
    assert told.data["comment_on"] == ID
    assert told.data["reply_to"] == {
        "message_id": ID,
        "participant": "4915550001@s.whatsapp.net",
        "from_me": False,
    }


@pytest.mark.parametrize(
    ("response", "guests", "told"),
    [
        ("GOING", 2, {"response": "going", "extra_guests": 2}),
        ("NOT_GOING", 0, {"response": "not_going"}),
        ("MAYBE", 0, {"response": "maybe"}),
    ],
)
def test_an_answer_to_an_appointment(response: str, guests: int, told: dict[str, Any]) -> None:
    """Its sender is authenticated."""
    about = known(eventMessage={"name": "Sale"})
    answer = event_response(about, response, extra_guests=guests, sender=BEN)

    found = opened(event_of(answer))

    assert found is not None
    assert found.type == "wa.event.response.v1"
    assert found.content.items() >= {"kind": "event_response", **told}.items()
    assert found.content["target"]["message_id"] == ID
    assert opened(by_ada(answer)) is None


@pytest.mark.parametrize(
    ("about", "new", "told"),
    [
        ({}, {"conversation": "new"}, {"text": "new"}),
        (
            {"imageMessage": {"caption": "old"}},
            {"imageMessage": {"caption": "new"}},
            {"text": "new"},
        ),
        (
            {"eventMessage": {"name": "Sale"}},
            {"eventMessage": {"name": "Sale", "isCanceled": True}},
            {"text": "Sale", "event": {"kind": "event", "name": "Sale", "canceled": True}},
        ),
    ],
    ids=["text", "caption", "appointment"],
)
@pytest.mark.parametrize("sender", [ADA, ADAS_NUMBER], ids=["lid", "number"])
@pytest.mark.parametrize("stored", [ADA, ADAS_NUMBER], ids=["stored by lid", "by number"])
def test_an_edit(
    about: dict[str, Any], new: dict[str, Any], told: dict[str, Any], sender: Jid, stored: Jid
) -> None:
    """Its writer is who has edited it, whatever else the key says."""
    sealed = edit(new, known(sender, **about), sender=sender)

    found = opened(by_ada(sealed), Store(writers=(str(stored),)))

    assert found is not None
    assert found.type == "wa.message.edited.v1"
    target = {
        "message_id": ID,
        "chat": CHAT,
        "participant": "4915550001@s.whatsapp.net",
        "from_me": False,
    }
    assert found.content == {"kind": "edit", "target": target, **told}


def test_an_edit_by_somebody_else() -> None:
    """Whoever has got the message knows its secret; with it nobody passes for its writer."""
    forged = edit({"conversation": "new"}, known(), sender=BEN)

    assert opened(event_of(forged)) is None


def test_an_edit_hides_nothing_else() -> None:
    """What is in it is an edit, or nothing."""
    about = known()
    sealed = edit({"conversation": "new"}, about)
    revoke = e2e.Message(protocolMessage={"type": 0, "key": {"ID": "3EB0XX", "fromMe": True}})
    part, plain = sealed.secretEncryptedMessage, revoke.SerializeToString()
    seal(part, about, plain, sender=ADA, purpose=Purpose.EDIT)

    found = opened(by_ada(sealed))

    assert found is not None
    assert found.content == {
        "kind": "unsupported",
        "message_type": "protocolMessage.MESSAGE_EDIT",
    }


@pytest.mark.parametrize(
    "store",
    [
        Store(chat="120363000000000002@g.us"),
        Store(secret=bytes(32)),
        Store(secret=b""),
        Store(writers=("803@lid",)),
    ],
    ids=["another chat", "another secret", "no secret", "another writer"],
)
def test_what_cannot_be_opened(store: Store) -> None:
    """It stays what it is."""
    content = reaction()
    content.encReactionMessage.targetMessageKey.participant = ""

    assert opened(event_of(content), store) is None


@pytest.mark.parametrize("name", ["encIV", "encPayload"])
def test_what_is_damaged(name: str) -> None:
    """It stays what it is, and so does what is too short to be anything."""
    for value in (b"x", bytes(200)):
        content = reaction()
        setattr(content.encReactionMessage, name, value)
        assert opened(event_of(content)) is None


@pytest.mark.parametrize("kind", ["UNKNOWN", "MESSAGE_SCHEDULE", "POLL_ADD_OPTION"])
def test_what_is_no_edit(kind: str) -> None:
    """It is told by its name."""
    sealed = edit({"conversation": "new"}, known())
    numbers = type(sealed.secretEncryptedMessage).SecretEncType
    sealed.secretEncryptedMessage.secretEncType = numbers.Value(kind)

    assert opened(by_ada(sealed)) is None


def test_what_hides_no_message() -> None:
    """Bytes that are no protobuf."""
    content = reaction()
    seal(content.encReactionMessage, known(), b"\xff", sender=BEN, purpose=Purpose.REACTION)

    assert opened(event_of(content)) is None


def test_a_message_of_before() -> None:
    """In the history it is opened in the same way; what cannot be is told by its name."""
    sealed = e2e.Message.FromString(
        sealed_comment("When?", known(), sender=BEN).SerializeToString()
    )
    key = {"remoteJID": CHAT, "fromMe": False, "ID": "3EB0C0", "participant": str(BEN)}
    info = web.WebMessageInfo(key=key, message=sealed, messageTimestamp=1_795_502_481)
    chat = history_chat(CHAT, people=PEOPLE)

    def told(store: Store) -> dict[str, Any]:
        found = history_message(
            info,
            chat,
            PEOPLE,
            open_past=lambda one, place: opened_past(
                one, place, people=PEOPLE, secrets_of=store.of
            ),
        )
        assert found is not None
        return found

    assert told(Store())["content"] == {"kind": "text", "text": "When?"}
    assert told(Store())["comment_on"] == ID
    named = {"kind": "unsupported", "message_type": "encCommentMessage"}
    assert told(Store(secret=bytes(32)))["content"] == named


@pytest.mark.parametrize(
    ("comment", "told"),
    [
        ({"message": {"conversation": "When?"}}, {"kind": "text", "text": "When?"}),
        (
            {"message": {"commentMessage": {"message": {"conversation": "When?"}}}},
            {"kind": "unsupported", "message_type": "nested"},
        ),
    ],
    ids=["plain", "on a comment"],
)
def test_a_comment_in_the_open(comment: dict[str, Any], told: dict[str, Any]) -> None:
    """It is told in the same way; one within another is none."""
    key = {"remoteJID": CHAT, "participant": str(ADA), "ID": ID}
    content = from_json({"commentMessage": {**comment, "targetMessageKey": key}})

    found = message(event_of(content), offline=False, people=PEOPLE)

    assert found is not None
    assert found.content == told
    assert not found.is_sealed
