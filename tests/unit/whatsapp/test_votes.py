"""A vote is opened without the library, whichever ids the voter's device has put into the key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway_worker.sandbox.phones.polls import poll_content, vote_content
from gateway_worker.sandbox.phones.values import ChatMessage
from gateway_worker.sandbox.wire.jid import Jid, lid
from gateway_worker.whatsapp.convert.message import message
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.votes import open_vote
from tests.unit.whatsapp.library_messages import LID, arrival, e2e, jid, source

POLL = poll_content("When?", ["at eight", "at nine"])
WRITER, VOTER = lid("801"), lid("802")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET: bytes = POLL.messageContextInfo.messageSecret
PEOPLE = People(phone_of=lambda _: None)


def vote_of(voter: Jid, *options: str) -> Any:
    """Return a vote as a phone makes it."""
    poll = ChatMessage(
        message_id="3EB0P0",
        chat=WRITER,
        sender=WRITER,
        sender_number="",
        from_me=False,
        kind="poll",
        text="",
        quoted_id=None,
        target_id=None,
        mentions=(),
        sent_at=NOW,
        received_at=NOW,
        raw=POLL.SerializeToString(),
    )
    return e2e.Message.FromString(vote_content(poll, options, voter=voter).SerializeToString())


def event_of(vote: Any) -> Any:
    """Return the event of a vote by somebody whose number is known, too."""
    number = jid("4915550002", device=3)
    return arrival(
        vote, origin=source(Chat=jid("802", LID), Sender=number, SenderAlt=jid("802", LID))
    )


def test_a_vote_is_opened() -> None:
    """By the ids that fit, though others are tried before."""
    event = event_of(vote_of(VOTER, "at nine"))
    known = [("4915550001@s.whatsapp.net", SECRET), (str(WRITER), bytes(32)), (str(WRITER), SECRET)]

    opened = open_vote(event, secret_of={"3EB0P0": known}.__getitem__)

    chosen = e2e.PollVoteMessage.FromString(opened).selectedOptions
    told = message(event, offline=False, people=PEOPLE)
    assert told is not None
    assert told.is_sealed
    assert told.opened(chosen).content["option_hashes"] == [chosen[0].hex()]
    assert told.opened(chosen).content["state"] == "poll_unknown"


@pytest.mark.parametrize("known", [[], [("801@lid", bytes(32))]])
def test_a_vote_for_which_there_is_no_key(known: list[tuple[str, bytes]]) -> None:
    """It is told that nobody can tell."""
    event = event_of(vote_of(VOTER, "at nine"))

    assert open_vote(event, secret_of=lambda _: known) is None
    told = message(event, offline=False, people=PEOPLE)
    assert told is not None
    assert told.opened(None).content["state"] == "undecryptable"
    assert not told.opened(None).is_sealed


def test_what_no_vote_says() -> None:
    """A vote that was taken back needs no poll to be told; what is no hash is left out."""
    told = message(event_of(vote_of(VOTER)), offline=False, people=PEOPLE)
    assert told is not None
    assert told.opened([]).content["state"] == "resolved"
    assert "option_hashes" not in told.opened([b"short"]).content
