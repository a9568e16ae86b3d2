"""What apps encrypt with the secret of the message it is about arrives as what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import pytest_asyncio

from gateway_contracts import (
    EventResponse,
    GroupJoined,
    MessageData,
    MessageEdited,
    MessageReaction,
    MessageReceived,
    MessageSend,
    MessageSendData,
    MessageSent,
    SentInfo,
    TextContent,
    UnsupportedContent,
)
from gateway_worker.sandbox.phones.content import Target, edit_content, text_content, to_json
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.phones.sealing import sealed_edit
from tests.e2e.harness import Gateway
from tests.e2e.shared.conftest import Shop
from tests.e2e.shared.talk import arrived, arrived_own

Told = TypeVar("Told", EventResponse, MessageEdited, MessageReaction, MessageReceived, MessageSent)
EMOJI = "\N{THUMBS UP SIGN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewerTalk:
    """A session that talks with somebody whose app is a new one.

    Attributes:
        gateway: Where it is.
        name: The session's.
        phone: Of the session's account.
        other: Somebody else's.
    """

    gateway: Gateway
    name: str
    phone: Phone
    other: Phone

    async def send(self, to: str, content: dict[str, Any], **more: Any) -> str:
        """Send a content; returns the message's id."""
        data = MessageSendData.model_validate({"to": to, "content": content, **more})
        command = MessageSend(source=self.gateway.backend.source, subject=self.name, data=data)
        sent = await self.gateway.succeed(command)
        assert isinstance(sent, SentInfo)
        return sent.message_id

    async def told(self, event_type: type[Told], message_id: str) -> MessageData:
        """Return what the backend is told of a message, as this event and whole."""
        event = await self.gateway.backend.expect(
            event_type, self.name, lambda event: event.data.message_id == message_id
        )
        assert not event.data.partial
        return event.data

    def reference(self, chat: str, message_id: str, *, writer: Phone) -> dict[str, Any]:
        """Return how a message is named."""
        return {
            "message_id": message_id,
            "chat": chat,
            "participant": f"{writer.number}@s.whatsapp.net",
            "from_me": writer is self.phone,
        }

    @property
    def chat(self) -> str:
        """The conversation, as the backend knows it."""
        return f"{self.other.number}@s.whatsapp.net"


def said(data: MessageData) -> dict[str, Any]:
    """Return a content without what is absent."""
    return data.content.model_dump(mode="json", exclude_none=True)


@pytest_asyncio.fixture(loop_scope="session")
async def talk(gateway: Gateway, shop: Shop) -> NewerTalk:
    """Let there be somebody else."""
    other = await gateway.sandbox.add_phone()
    other.give_secrets()
    return NewerTalk(gateway=gateway, name=shop.name, phone=shop.phone, other=other)


async def test_edits_of_newer_apps(talk: NewerTalk) -> None:
    """By the other one and by the account's owner; a reply quotes the new text."""
    theirs = await talk.other.send_text(talk.phone.number, "first")
    await talk.told(MessageReceived, theirs)
    ours = await talk.send(talk.other.number, {"kind": "text", "text": "hello"})
    await arrived_own(talk.phone, ours)

    edits = {
        await talk.other.edit(theirs, "second"): (theirs, talk.other, "second"),
        await talk.phone.edit(ours, "hello you"): (ours, talk.phone, "hello you"),
    }

    for edit, (target, writer, text) in edits.items():
        data = await talk.told(MessageEdited, edit)
        reference = talk.reference(talk.chat, target, writer=writer)
        told = {"kind": "edit", "target": reference, "text": text, "mentions": []}
        assert said(data) == told
        assert getattr(data, "from_me") is (writer is talk.phone)  # noqa: B009 - of a change
    reply = await talk.send(
        talk.other.number, {"kind": "text", "text": "?"}, reply_to={"message_id": theirs}
    )
    await arrived(talk.other, reply)
    shown = talk.other.message(reply).content["extendedTextMessage"]["contextInfo"]
    assert shown["quotedMessage"]["conversation"] == "second"


async def test_an_edit_of_what_the_device_never_had(talk: NewerTalk) -> None:
    """It is told by its name, and so is one that is damaged."""
    wire = {
        "secretEncryptedMessage": {
            "targetMessageKey": {"ID": "3EB0NEVERHAD", "fromMe": True},
            "encPayload": "AAECAwQFBgcICQoLDA0ODxAREhM=",
            "encIV": "AAECAwQFBgcICQoL",
            "secretEncType": "MESSAGE_EDIT",
        }
    }
    theirs = await talk.other.send_text(talk.phone.number, "first")

    for target in ("3EB0NEVERHAD", theirs):
        wire["secretEncryptedMessage"]["targetMessageKey"] = {"ID": target, "fromMe": True}
        data = await talk.told(
            MessageReceived, await talk.other.send_content(talk.phone.number, wire)
        )
        assert data.content == UnsupportedContent(message_type="secretEncryptedMessage")


async def test_an_appointment(talk: NewerTalk) -> None:
    """Answers of both, the last of which counts, and what its writer changes."""
    content = {"kind": "event", "name": "Sale", "starts_at": "2030-03-17T17:46:40Z"}
    ours = await talk.send(talk.other.number, content)
    await arrived(talk.other, ours)
    event = {"name": "Fitting", "startTime": "1900000000"}
    theirs = await talk.other.send_content(talk.phone.number, {"eventMessage": event})
    await talk.told(MessageReceived, theirs)
    await arrived(talk.phone, theirs)

    for phone, target, response, guests in (
        (talk.other, ours, "GOING", 2),
        (talk.other, ours, "NOT_GOING", 0),
        (talk.phone, theirs, "MAYBE", 0),
    ):
        answer = await phone.answer_event(target, response, extra_guests=guests)
        data = await talk.told(EventResponse, answer)
        writer = talk.phone if target is ours else talk.other
        assert said(data) == {
            "kind": "event_response",
            "target": talk.reference(talk.chat, target, writer=writer),
            "response": response.lower(),
            "extra_guests": guests,
        }
    off = await talk.other.edit_event(theirs, {**event, "isCanceled": True})
    told = said(await talk.told(MessageEdited, off))
    assert (told["text"], told["event"]["canceled"]) == ("Fitting", True)
    assert told["target"] == talk.reference(talk.chat, theirs, writer=talk.other)


async def test_what_a_community_announces(talk: NewerTalk) -> None:
    """Members react and comment, and the account's owner does."""
    community = talk.phone.groups.create_community("Club", [talk.other.number])
    group = str(talk.phone.groups.announcements_of(community.jid).jid)
    await talk.gateway.backend.expect(
        GroupJoined, talk.name, lambda event: event.data.chat == group
    )
    ours = await talk.send(group, {"kind": "text", "text": "We open at nine"})
    await arrived(talk.other, ours)
    await arrived_own(talk.phone, ours)
    target = talk.reference(group, ours, writer=talk.phone)

    for phone, emoji in ((talk.other, EMOJI), (talk.other, ""), (talk.phone, EMOJI)):
        data = await talk.told(MessageReaction, await phone.react(ours, emoji))
        assert said(data) == {"kind": "reaction", "target": target, "emoji": emoji}
        assert (data.chat, data.is_group) == (group, True)
    comment = await talk.told(MessageReceived, await talk.other.comment(ours, "And close?"))
    own = await talk.told(MessageSent, await talk.phone.comment(ours, "At six"))
    for data, text in ((comment, "And close?"), (own, "At six")):
        assert data.content == TextContent(text=text)
        assert (data.comment_on, data.chat) == (ours, group)
        assert data.reply_to is not None
        named = (data.reply_to.message_id, data.reply_to.participant, data.reply_to.from_me)
        assert named == (ours, target["participant"], True)


async def test_an_edit_by_somebody_else(talk: NewerTalk) -> None:
    """Whoever has got a message has its secret; they do not pass for its writer."""
    third = await talk.gateway.sandbox.add_phone()
    group = talk.other.groups.create("Club", [talk.phone.number, third.number]).jid
    await talk.gateway.backend.expect(
        GroupJoined, talk.name, lambda event: event.data.chat == str(group)
    )
    theirs = await talk.other.send_text(group, "first")
    await arrived(third, theirs)
    await talk.told(MessageReceived, theirs)
    known = third.message(theirs)
    edit = edit_content(text_content("forged"), Target(message_id=theirs, chat=group))
    wire = to_json(sealed_edit(edit, known, sender=third.jid).SerializeToString())

    data = await talk.told(MessageReceived, await third.send_content(group, wire))

    assert data.content == UnsupportedContent(message_type="secretEncryptedMessage")
    told = await talk.told(MessageEdited, await talk.other.edit(theirs, "second"))
    assert said(told)["text"] == "second"
