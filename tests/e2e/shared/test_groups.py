"""A backend writes to groups and hears from their members."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest_asyncio

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    GroupAspect,
    GroupGetInfo,
    GroupInfoData,
    GroupLeave,
    GroupLeaveData,
    GroupUpdated,
    MessageReceipt,
    MessageReceived,
    MessageRevoked,
    MessageSend,
    MessageSendData,
    PollVote,
    PollVoteState,
    ReceiptStatus,
    SentInfo,
    TextContent,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway_worker.sandbox.phones.phone import Phone
    from gateway_worker.sandbox.phones.values import ChatMessage
    from tests.e2e.harness import Gateway

POLL = {"kind": "poll", "question": "When?", "options": ["at eight", "at nine"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Club:
    """A group that a session's account is in, with two others; Ada has made it.

    Attributes:
        gateway: Where the session is.
        name: The session's.
        shop: The phone of the session's account.
        ada: Another member's phone, an admin's.
        ben: Another member's.
        group: The group's id.
    """

    gateway: Gateway
    name: str
    shop: Phone
    ada: Phone
    ben: Phone
    group: str

    def command(self, content: Mapping[str, object], **more: Any) -> MessageSend:
        """Return the command that sends a content to the group."""
        data = MessageSendData.model_validate({"to": self.group, "content": content, **more})
        return MessageSend(source=self.gateway.backend.source, subject=self.name, data=data)

    async def send(self, content: Mapping[str, object], **more: Any) -> str:
        """Send a content; returns the message's id."""
        sent = await self.gateway.succeed(self.command(content, **more))
        assert isinstance(sent, SentInfo)
        assert sent.chat == self.group
        return sent.message_id

    async def received(self, message_id: str) -> MessageReceived:
        """Wait until the backend is told of a message."""
        return await self.gateway.backend.expect(
            MessageReceived, self.name, lambda event: event.data.message_id == message_id
        )


@pytest_asyncio.fixture(loop_scope="session")
async def club(gateway: Gateway, name: str) -> Club:
    """Link a session, and let Ada make a group with it."""
    shop = await gateway.sandbox.add_phone()
    ada, ben = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    group = str(ada.groups.create("Club", [shop.number, ben.number]).jid)
    return Club(gateway=gateway, name=name, shop=shop, ada=ada, ben=ben, group=group)


async def got(phone: Phone, message_id: str) -> ChatMessage:
    """Return what a phone has got from somebody else."""
    return await phone.inbox.wait_for(lambda one: one.message_id == message_id, timeout=30)


def is_read_by(phone: Phone, event: MessageReceipt) -> bool:
    """Tell whether a receipt says that somebody has read."""
    data = event.data
    is_its = data.participant.phone_number == f"+{phone.number}"
    return is_its and data.status is ReceiptStatus.READ


def is_vote(message_id: str, event: PollVote) -> bool:
    """Tell whether an event tells of a vote."""
    return event.data.message_id == message_id


def is_timer(group: str, seconds: int | None, event: GroupUpdated) -> bool:
    """Tell whether an event says what a group's timer is now."""
    data = event.data
    is_its = data.chat == group and GroupAspect.TIMER in data.what
    return is_its and data.disappearing_seconds == seconds


async def test_a_conversation_in_a_group(club: Club) -> None:
    """All members read what the backend sends; it is told who read it, and what one answers."""
    sent = await club.send({"kind": "text", "text": "Hello all"})

    for phone in (club.ada, club.ben):
        message = await got(phone, sent)
        assert (message.text, str(message.chat)) == ("Hello all", club.group)
        await phone.read(message)
        read = await club.gateway.backend.expect(
            MessageReceipt, club.name, partial(is_read_by, phone)
        )
        assert (read.data.message_id, read.data.chat) == (sent, club.group)

    answer = await club.ben.send_text(club.group, "Hello shop", reply_to=sent)
    received = await club.received(answer)

    assert (received.data.chat, received.data.is_group) == (club.group, True)
    assert received.data.sender.phone_number == f"+{club.ben.number}"
    assert received.data.reply_to is not None
    assert received.data.reply_to.message_id == sent
    # The key that the phone gives with its first message is no message of its own.
    told = [
        event.data
        for event in club.gateway.backend.events_of(club.name)
        if isinstance(event, MessageReceived)
    ]
    assert [data.message_id for data in told] == [answer]


async def test_everybody_is_named(club: Club) -> None:
    """In a text of the backend's, and in one of a member's."""
    sent = await club.send({"kind": "text", "text": "@all come", "mention_all": True})
    for phone in (club.ada, club.ben):
        shown = (await got(phone, sent)).content
        assert shown["extendedTextMessage"]["contextInfo"]["nonJIDMentions"] == 1

    wire = {"extendedTextMessage": {"text": "@all go", "contextInfo": {"nonJIDMentions": 1}}}
    received = await club.received(await club.ben.send_content(club.group, wire))

    content = received.data.content
    assert isinstance(content, TextContent)
    assert (content.text, content.mention_all) == ("@all go", True)
    alone = club.command({"kind": "text", "text": "@all", "mention_all": True}).data
    failed = await club.gateway.fail(
        MessageSend(
            source=club.gateway.backend.source,
            subject=club.name,
            data=alone.model_copy(update={"to": club.ben.number}),
        )
    )
    assert failed.data.error.errors[0].pointer == "/data/content/mention_all"


async def test_admins_delete_what_others_have_written(club: Club) -> None:
    """The backend's account as one of them, and others before its eyes."""
    club.ada.groups.promote(club.group, [club.shop.number])
    written = await club.ben.send_text(club.group, "buy gold")
    await club.received(written)

    revoked = await club.send({"kind": "revoke", "target": {"message_id": written}})

    for phone in (club.ada, club.ben):
        message = await got(phone, revoked)
        assert (message.kind, message.target_id) == ("revoke", written)
        key = message.content["protocolMessage"]["key"]
        assert key.get("fromMe", False) is False
        assert key["participant"] == str(club.ben.jid.account)

    again = await club.ben.send_text(club.group, "buy silver")
    await got(club.ada, again)
    await club.ada.revoke(again)
    event = await club.gateway.backend.expect(
        MessageRevoked, club.name, lambda event: event.data.content.target.message_id == again
    )
    assert event.data.sender.phone_number == f"+{club.ada.number}"
    target = event.data.content.target
    assert target.participant == f"{club.ben.number}@s.whatsapp.net"
    assert (target.chat, target.from_me, event.data.from_me) == (club.group, False, False)


async def test_polls(club: Club) -> None:
    """Votes of members in the backend's poll, and of the backend in one of a member's."""
    poll = await club.send(POLL)
    for voter, chosen in ((club.ada, "at nine"), (club.ben, "at eight")):
        await got(voter, poll)
        vote_id = await voter.vote(poll, [chosen])
        vote = await club.gateway.backend.expect(PollVote, club.name, partial(is_vote, vote_id))
        assert vote.data.content.state is PollVoteState.RESOLVED
        assert vote.data.content.options == (chosen,)
        assert vote.data.sender.phone_number == f"+{voter.number}"

    question = await club.ben.send_poll(club.group, "Where?", ["here", "there"])
    await club.received(question)
    await got(club.ada, question)
    content = {"kind": "poll_vote", "target": {"message_id": question}, "options": ["there"]}
    sent = await club.send(content)
    for phone in (club.ada, club.ben):
        shown = await got(phone, sent)
        assert (shown.kind, shown.target_id) == ("poll_vote", question)
        assert phone.chosen_in(shown) == ("there",)


async def test_what_a_group_refuses(club: Club) -> None:
    """It is refused at once, and nobody else waits for it: not an admin, then no member at all."""
    gateway, command = club.gateway, partial(club.command, {"kind": "text", "text": "may I?"})
    await club.send({"kind": "text", "text": "so that its members are known"})
    club.ada.groups.let_admins_write(club.group, only=True)

    failed, others = await asyncio.gather(
        gateway.backend.request(command()), gateway.send(club.name, club.ben.number, "apart")
    )
    assert isinstance(others, SentInfo)
    assert isinstance(failed, CommandFailed)
    assert failed.data.error.code is ErrorCode.UPSTREAM_REJECTED
    assert (failed.data.error.retryable, failed.data.attempts) == (False, 1)

    club.ada.groups.let_admins_write(club.group, only=False)
    club.ada.groups.remove(club.group, [club.shop.number])
    for _ in range(2):
        refused = await gateway.fail(command())
        assert refused.data.error.code is ErrorCode.UPSTREAM_REJECTED
        assert (refused.data.error.retryable, refused.data.attempts) == (False, 1)
    refused = await gateway.fail(
        gateway.text(club.name, "120363999999999999@g.us", "is anybody here?")
    )
    assert refused.data.error.code is ErrorCode.UPSTREAM_REJECTED


async def test_nothing_is_lost_by_leaving(club: Club) -> None:
    """What was to be sent to the group before is there; the group is closed afterwards."""
    gateway, source = club.gateway, club.gateway.backend.source
    farewell = club.command({"kind": "text", "text": "bye"})
    leaving = GroupLeave(source=source, subject=club.name, data=GroupLeaveData(group=club.group))

    for command in (farewell, leaving):
        await gateway.backend.publish(command)

    for command in (leaving, farewell):
        assert isinstance(await gateway.backend.outcome(command.id), CommandSucceeded)
    assert (await club.ada.next_message(timeout=30)).text == "bye"
    data = GroupInfoData(group=club.group)
    failed = await gateway.fail(GroupGetInfo(source=source, subject=club.name, data=data))
    assert failed.data.error.code is ErrorCode.UPSTREAM_REJECTED
    assert (failed.data.error.retryable, failed.data.attempts) == (False, 1)


async def test_a_group_s_timer_is_obeyed(gateway: Gateway, name: str) -> None:
    """Of a group that the account was in before it was linked, and of changes since."""
    shop, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    group = str(ada.groups.create("Old", [shop.number], ephemeral_seconds=86_400).jid)
    await gateway.link(name, shop)

    async def expiration() -> int | None:
        sent = await gateway.succeed(gateway.text(name, group, "hello"))
        text = (await got(ada, sent.message_id)).content.get("extendedTextMessage", {})
        found: int | None = text.get("contextInfo", {}).get("expiration")
        return found

    assert await expiration() == 86_400
    for seconds in (0, 604_800):
        ada.groups.set_timer(group, seconds)
        await gateway.backend.expect(GroupUpdated, name, partial(is_timer, group, seconds or None))
        assert await expiration() == (seconds or None)
