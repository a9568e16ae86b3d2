"""Polls as phones write them, and votes: encrypted with a secret that came with the poll."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidTag

from gateway_worker.sandbox.phones.content import unwrapped
from gateway_worker.sandbox.phones.errors import InvalidContentError
from gateway_worker.sandbox.phones.sealing import Purpose, give_secret, seal, unseal
from gateway_worker.sandbox.phones.wa_e2e import Message, PollVoteMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway_worker.sandbox.phones.values import ChatMessage
    from gateway_worker.sandbox.wire.jid import Jid

_POLLS: Final = ("pollCreationMessageV3", "pollCreationMessageV2", "pollCreationMessage")


def poll_content(question: str, options: Sequence[str], *, selectable_count: int = 1) -> Message:
    """Build a poll as phones write it now."""
    message = Message()
    poll = message.pollCreationMessageV3
    poll.name, poll.selectableOptionsCount = question, selectable_count
    for option in options:
        poll.options.add(optionName=option)
    give_secret(message)
    return message


def vote_content(poll: ChatMessage, options: Sequence[str], *, voter: Jid) -> Message:
    """Build a vote in a poll; no options take it back.

    Args:
        poll: As the voter's phone has it.
        options: What is chosen.
        voter: LID of the account that votes.

    Raises:
        InvalidContentError: it is no poll, or has no such option.
    """
    names = _options_of(_poll_in(poll))
    if not set(options) <= set(names):
        raise InvalidContentError("the poll has no such option")
    message = Message()
    update = message.pollUpdateMessage
    poll.as_target().write_to(update.pollCreationMessageKey)
    chosen = PollVoteMessage(selectedOptions=[_hash(option) for option in options])
    plain = chosen.SerializeToString()
    seal(update.vote, poll, plain, sender=voter, purpose=Purpose.VOTE)
    update.senderTimestampMS = time.time_ns() // 1_000_000
    return message


def chosen_in(vote: ChatMessage, poll: ChatMessage) -> tuple[str, ...]:
    """Return what somebody has chosen.

    Args:
        vote: As the phone has it.
        poll: The poll that it is about.

    Raises:
        InvalidContentError: it cannot be opened, or is for something else than the poll has.
    """
    update = unwrapped(Message.FromString(vote.raw)).pollUpdateMessage
    try:
        opened = unseal(update.vote, poll, sender=vote.sender, purpose=Purpose.VOTE)
    except (InvalidTag, ValueError) as error:
        raise InvalidContentError("the vote cannot be opened") from error
    names = {_hash(option): option for option in _options_of(_poll_in(poll))}
    hashes = PollVoteMessage.FromString(opened).selectedOptions
    if not names.keys() >= set(hashes):
        raise InvalidContentError("the vote is for what the poll does not have")
    return tuple(names[one] for one in hashes)


def _poll_in(poll: ChatMessage) -> Any:
    message = unwrapped(Message.FromString(poll.raw))
    for name in _POLLS:
        if message.HasField(name):
            return getattr(message, name)
    raise InvalidContentError("the message is no poll")


def _options_of(poll: Any) -> list[str]:
    return [option.optionName for option in poll.options]


def _hash(option: str) -> bytes:
    return hashlib.sha256(option.encode()).digest()
