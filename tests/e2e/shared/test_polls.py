"""Polls and votes in them, both ways."""

from __future__ import annotations

from gateway_contracts import (
    ErrorCode,
    PollVote,
    PollVoteContent,
    PollVoteState,
)
from tests.e2e.shared.talk import Talk

POLL = {"kind": "poll", "question": "When?", "options": ["at eight", "at nine"]}


async def vote_of(talk: Talk, message_id: str) -> PollVoteContent:
    """Return what the backend is told of a vote."""
    event = await talk.gateway.backend.expect(
        PollVote, talk.name, lambda event: event.data.message_id == message_id
    )
    assert not event.data.partial
    return event.data.content


async def test_votes_in_a_poll_of_the_account(talk: Talk) -> None:
    """With the names of what is chosen; also those of the owner, and what is taken back."""
    poll = (await talk.show(POLL)).message_id
    await talk.phone.own_messages.wait_for(lambda one: one.message_id == poll, timeout=30)

    for voter, chosen in (
        (talk.other, ("at nine",)),
        (talk.other, ("at eight", "at nine")),
        (talk.phone, ("at eight",)),
        (talk.other, ()),
    ):
        vote = await vote_of(talk, await voter.vote(poll, chosen))
        assert vote.state is PollVoteState.RESOLVED
        assert set(vote.options) == set(chosen)
        assert len(vote.option_hashes) == len(chosen)
        assert (vote.target.message_id, vote.target.from_me) == (poll, True)


async def test_voting_in_a_poll_of_somebody_else(talk: Talk) -> None:
    """The phone that asked can open it; what is no option is refused before."""
    poll = await talk.other.send_poll(talk.phone.number, "Where?", ["here", "there"])
    assert (await talk.received(poll)).data.content.kind == "poll"
    content = {"kind": "poll_vote", "target": {"message_id": poll}}

    for chosen in (["there"], []):
        vote = await talk.show({**content, "options": chosen})
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

    vote = await vote_of(talk, await talk.other.send_content(talk.phone.number, wire))

    assert (vote.state, vote.options) == (PollVoteState.UNDECRYPTABLE, ())
    target = {"message_id": poll, "participant": f"{talk.other.number}@s.whatsapp.net"}
    content = {"kind": "poll_vote", "target": target, "options": ["here"]}
    failed = await talk.gateway.fail(talk.command(content))
    assert failed.data.error.code is ErrorCode.INVALID_COMMAND
    assert [error.pointer for error in failed.data.error.errors] == ["/data/content/target"]
