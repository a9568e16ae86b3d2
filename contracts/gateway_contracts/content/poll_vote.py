"""What somebody has chosen in a poll."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import FailFast, Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import FreeText, WireModel
from gateway_contracts.references import MessageReference, MessageTarget


class PollVoteToSend(WireModel):
    """The account's vote in a poll; a later one takes its place."""

    kind: Literal["poll_vote"] = "poll_vote"
    target: MessageTarget = Field(description="The poll.")
    options: Annotated[
        tuple[Annotated[FreeText, Field(min_length=1, max_length=255), PERSONAL], ...], FailFast()
    ] = Field(
        max_length=100,
        description="What is chosen, as the poll writes it; empty to take the vote back.",
    )


class PollVoteState(StrEnum):
    """What the gateway can tell of a vote."""

    RESOLVED = "resolved"
    POLL_UNKNOWN = "poll_unknown"
    UNDECRYPTABLE = "undecryptable"


class PollVoteContent(WireModel):
    """Somebody's vote in a poll; it takes the place of the one before by the same person."""

    kind: Literal["poll_vote"] = "poll_vote"
    target: MessageReference = Field(description="The poll.")
    state: PollVoteState = Field(
        PollVoteState.RESOLVED,
        description="`resolved`: `options` is all that is chosen. `poll_unknown`: the history does "
        "not have the poll, so that only `option_hashes` tells what is chosen. `undecryptable`: "
        "the account's device never had the poll, and nobody can tell.",
    )
    options: tuple[Annotated[str, PERSONAL], ...] = Field(
        (), description="What is chosen, as the poll writes it; none if the vote was taken back."
    )
    option_hashes: tuple[str, ...] = Field(
        (), description="SHA-256 of each option that is chosen, in hexadecimal."
    )
