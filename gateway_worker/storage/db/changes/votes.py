"""Votes get the names of what they chose: a vote has only hashes, the poll is in the history.

That is done at the commit, so that a poll which comes just before its votes is there.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import asyncpg

from gateway_contracts import PollContent, PollVote, PollVoteContent, PollVoteState
from gateway_worker.storage.db.changes.bodies import Draft
from gateway_worker.storage.db.changes.steps import Step

Connection: TypeAlias = "asyncpg.Connection[Any]"
Poll = tuple[str, str]
"""A session's id and a message's: who wrote the poll is not asked, for the hashes have to fit."""

FIND_POLLS = """
    SELECT m.session_id, m.message_id, m.content ->> 'options' AS options FROM messages AS m
    JOIN unnest($1::text[], $2::text[]) AS u(session_id, message_id)
        ON m.session_id = u.session_id AND m.message_id = u.message_id
    WHERE m.content ->> 'kind' = 'poll'
"""
"""$1 sessions, $2 messages."""


async def name_votes(connection: Connection, steps: Sequence[Step]) -> None:
    """Complete the events and rows of votes whose polls are in the history or in this batch."""
    votes = [(step, found) for step in steps if (found := _vote_of(step)) is not None]
    if not votes:
        return
    polls = {(step.change.session_id, vote.target.message_id) for step, vote in votes}
    names = _in_batch(steps)
    sessions, messages = zip(*sorted(polls), strict=True)
    for session_id, message_id, options in await connection.fetch(FIND_POLLS, sessions, messages):
        _add(names, (session_id, message_id), json.loads(options or "[]"))
    for step, vote in votes:
        key = (step.change.session_id, vote.target.message_id)
        _complete(step, _named(vote, names.get(key, {})))


def _vote_of(step: Step) -> PollVoteContent | None:
    """Return the vote that a step announces, if it still lacks names."""
    message = step.change.message
    if message is None or type(message.content) is not PollVoteContent:
        return None
    lacks_names = step.live and message.content.state is PollVoteState.POLL_UNKNOWN
    return message.content if lacks_names else None


def _in_batch(steps: Iterable[Step]) -> dict[Poll, dict[str, str]]:
    names: dict[Poll, dict[str, str]] = {}
    for step in steps:
        message = step.change.message
        if message is not None and isinstance(message.content, PollContent):
            _add(names, (step.change.session_id, message.message_id), message.content.options)
    return names


def _add(names: dict[Poll, dict[str, str]], poll: Poll, options: Iterable[str]) -> None:
    hashed = {hashlib.sha256(option.encode()).hexdigest(): option for option in options}
    names.setdefault(poll, {}).update(hashed)


def _named(vote: PollVoteContent, names: Mapping[str, str]) -> PollVoteContent:
    chosen = tuple(names[one] for one in vote.option_hashes if one in names)
    is_whole = len(chosen) == len(vote.option_hashes)
    state = PollVoteState.RESOLVED if is_whole else PollVoteState.POLL_UNKNOWN
    return vote.model_copy(update={"options": chosen, "state": state})


def _complete(step: Step, vote: PollVoteContent) -> None:
    events = tuple(
        event.model_copy(update={"data": event.data.model_copy(update={"content": vote})})
        if isinstance(event, PollVote)
        else event
        for event in step.change.events
    )
    message = step.change.message
    row = None if message is None else dataclasses.replace(message, content=vote)
    step.change = dataclasses.replace(step.change, events=events, message=row)
    step.drafts = tuple(Draft.of(event) for event in events)
