"""Votes get the names of what they chose from the poll, if the history has it by the commit."""

import hashlib
from dataclasses import replace

import pytest

from gateway_contracts import (
    Content,
    MessageReference,
    PollContent,
    PollVote,
    PollVoteContent,
    PollVoteData,
    PollVoteState,
    parse_event,
)
from gateway_worker.sessions.changes import Change, MessageRow
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresMessageStore
from tests.integration.storage.db.support import CHAT, SOURCE, message

POLL = PollContent(question="When?", options=("at eight", "at nine"), selectable_count=0)


def row_of(change: Change) -> MessageRow:
    """Return the message of a change."""
    assert change.message is not None
    return change.message


def poll(number: int) -> Change:
    """Return the arrival of a poll."""
    plain = message(number)
    return replace(plain, message=replace(row_of(plain), content=POLL))


def vote(number: int, *chosen: str, target: int = 1) -> Change:
    """Return the arrival of a vote, as a host tells it."""
    content = PollVoteContent(
        target=MessageReference(message_id=f"M{target}", chat=CHAT),
        state=PollVoteState.POLL_UNKNOWN,
        option_hashes=tuple(hashlib.sha256(option.encode()).hexdigest() for option in chosen),
    )
    plain = message(number)
    data = PollVoteData(
        **{**plain.events[0].data.model_dump(), "content": content, "from_me": False}
    )
    return replace(
        plain,
        events=(PollVote(source=SOURCE, subject="s", data=data),),
        message=replace(row_of(plain), content=content),
    )


async def stored(database: Database, number: int) -> Content:
    """Return what the history has of a message."""
    store = PostgresMessageStore(database=database)
    (row,) = await store.find("s", chats=[CHAT], message_id=f"M{number}")
    return row.content


@pytest.mark.parametrize("batches", [[[0], [1]], [[0, 1]], [[1, 0]]])
async def test_a_vote_in_a_poll_that_is_known(
    changes: PostgresChangeStore, database: Database, batches: list[list[int]]
) -> None:
    """From before, or from the same batch; the event and the history say the same."""
    both = [poll(1), vote(2, "at nine", "at eight")]

    committed = [one for batch in batches for one in await changes.commit([both[n] for n in batch])]

    events = [parse_event(row.body) for one in committed for row in one.rows]
    (told,) = [event.data.content for event in events if isinstance(event, PollVote)]
    assert (told.state, told.options) == (PollVoteState.RESOLVED, ("at nine", "at eight"))
    assert await stored(database, 2) == told


async def test_a_vote_in_a_poll_that_is_not_known(changes: PostgresChangeStore) -> None:
    """Its hashes are told; so are the names that a poll has, if it lacks others."""
    committed = await changes.commit(
        [message(1), vote(2, "at nine"), poll(3), vote(4, "at nine", "at ten", target=3)]
    )

    contents = [parse_event(one.rows[0].body) for one in committed]
    told = [event.data.content for event in contents if isinstance(event, PollVote)]
    assert [one.state for one in told] == [PollVoteState.POLL_UNKNOWN] * 2
    assert [one.options for one in told] == [(), ("at nine",)]
    assert [len(one.option_hashes) for one in told] == [1, 2]
