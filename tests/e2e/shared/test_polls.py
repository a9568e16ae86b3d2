"""Polls and votes in them, both ways."""

from __future__ import annotations

from collections.abc import Mapping

import pytest_asyncio

from gateway_contracts import (
    ErrorCode,
    MessageReceived,
    MessageSend,
    MessageSendData,
    PollVote,
    PollVoteContent,
    PollVoteState,
    SentInfo,
)
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.phones.values import ChatMessage
from tests.e2e.harness import Gateway
from tests.e2e.shared.conftest import Shop

POLL = {"kind": "poll", "question": "When?", "options": ["at eight", "at nine"]}


class Talk:
    """A session that talks with somebody."""

    def __init__(self, *, gateway: Gateway, name: str, phone: Phone, other: Phone) -> None:
        self.gateway = gateway
        self.name = name
        self.phone = phone
        self.other = other

    def command(self, content: Mapping[str, object]) -> MessageSend:
        """Return the command that sends a content to the other phone."""
        data = MessageSendData.model_validate({"to": self.other.number, "content": content})
        return MessageSend(source=self.gateway.backend.source, subject=self.name, data=data)

    async def send(self, content: Mapping[str, object]) -> str:
        """Send a content; returns the message's id."""
        sent = await self.gateway.succeed(self.command(content))
        assert isinstance(sent, SentInfo)
        return sent.message_id

    async def vote(self, message_id: str) -> PollVoteContent:
        """Return what the backend is told of a vote."""
        event = await self.gateway.backend.expect(
            PollVote, self.name, lambda event: event.data.message_id == message_id
        )
        assert not event.data.partial
        return event.data.content


async def got(phone: Phone, message_id: str) -> ChatMessage:
    """Return what a phone has got from somebody else."""
    return await phone.inbox.wait_for(lambda one: one.message_id == message_id, timeout=30)


@pytest_asyncio.fixture(loop_scope="session")
async def talk(gateway: Gateway, shop: Shop) -> Talk:
    """Let there be somebody else."""
    other = await gateway.sandbox.add_phone()
    return Talk(gateway=gateway, name=shop.name, phone=shop.phone, other=other)


async def test_votes_in_a_poll_of_the_account(talk: Talk) -> None:
    """With the names of what is chosen; also those of the owner, and what is taken back."""
    poll = await talk.send(POLL)
    await got(talk.other, poll)
    await talk.phone.own_messages.wait_for(lambda one: one.message_id == poll, timeout=30)

    for voter, chosen in (
        (talk.other, ("at nine",)),
        (talk.other, ("at eight", "at nine")),
        (talk.phone, ("at eight",)),
        (talk.other, ()),
    ):
        vote = await talk.vote(await voter.vote(poll, chosen))
        assert vote.state is PollVoteState.RESOLVED
        assert set(vote.options) == set(chosen)
        assert len(vote.option_hashes) == len(chosen)
        assert (vote.target.message_id, vote.target.from_me) == (poll, True)


async def test_voting_in_a_poll_of_somebody_else(talk: Talk) -> None:
    """The phone that asked can open it; what is no option is refused before."""
    poll = await talk.other.send_poll(talk.phone.number, "Where?", ["here", "there"])
    event = await talk.gateway.backend.expect(
        MessageReceived, talk.name, lambda event: event.data.message_id == poll
    )
    assert event.data.content.kind == "poll"
    content = {"kind": "poll_vote", "target": {"message_id": poll}}

    for chosen in (["there"], []):
        sent = await talk.send({**content, "options": chosen})
        vote = await got(talk.other, sent)
        assert (vote.kind, vote.target_id) == ("poll_vote", poll)
        assert talk.other.chosen_in(vote) == tuple(chosen)
    failed = await talk.gateway.fail(talk.command({**content, "options": ["nowhere"]}))
    assert failed.data.error.code is ErrorCode.INVALID_COMMAND
    assert failed.data.error.errors[0].pointer == "/data/content/options"


async def test_a_vote_in_a_poll_that_the_device_never_had(talk: Talk) -> None:
    """It is told that nobody can tell, and nothing is sent in a poll without its secret."""
    before = await talk.gateway.sandbox.add_phone()
    poll = await talk.other.send_poll(before.number, "Where?", ["here", "there"])
    wire = {
        "pollUpdateMessage": {
            "pollCreationMessageKey": {"ID": poll, "fromMe": True},
            "vote": {"encPayload": "AAECAwQFBgcICQoLDA0ODw==", "encIV": "AAECAwQFBgcICQoL"},
        }
    }

    vote = await talk.vote(await talk.other.send_content(talk.phone.number, wire))

    assert (vote.state, vote.options) == (PollVoteState.UNDECRYPTABLE, ())
    target = {"message_id": poll, "participant": f"{talk.other.number}@s.whatsapp.net"}
    content = {"kind": "poll_vote", "target": target, "options": ["here"]}
    failed = await talk.gateway.fail(talk.command(content))
    assert failed.data.error.code is ErrorCode.INVALID_COMMAND
