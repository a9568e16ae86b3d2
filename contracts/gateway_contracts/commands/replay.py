"""Commands that ask for stored events once more, and what they return."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.model import OneOfModel, QueueName, SequenceNumber, Timestamp, WireModel


class SessionReplayData(OneOfModel):
    """Which events are wanted again, and where: exactly one of `from_sequence` and `since`."""

    one_of = ("from_sequence", "since")

    queue: QueueName = Field(
        description="The backend's own queue, bound to the exchange of replays under its own name."
    )
    from_sequence: SequenceNumber | None = Field(
        None, description="The first event wanted, by its place in the stream."
    )
    since: Timestamp | None = Field(
        None, description="The first event wanted, by the time at which the gateway stored it."
    )
    until_sequence: SequenceNumber | None = Field(
        None,
        description="The last event wanted; absent, the last that was published when the replay "
        "came to its end.",
    )


class SessionReplay(CommandEnvelope):
    """Publish the session's stored events once more, to one queue of the backend's.

    They are the same bytes under the same ids, in order, with the AMQP header `wa-replayed`.
    """

    type: Literal["wa.session.replay.v1"] = "wa.session.replay.v1"
    data: SessionReplayData


class ReplayInfo(WireModel):
    """What a replay has published again."""

    kind: Literal["replay"] = "replay"
    events: Annotated[int, Field(ge=0)] = Field(description="How many events were published.")
    first_sequence: SequenceNumber | None = Field(None, description="The first of them.")
    last_sequence: SequenceNumber | None = Field(None, description="The last of them.")
    complete: bool = Field(
        description="False if the oldest events that were wanted are no longer stored."
    )


ReplayCommand = SessionReplay
"""Every command of this family."""

ReplayResult = ReplayInfo
"""What they return."""
