"""What replays return."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.model import SequenceNumber, WireModel


class ReplayInfo(WireModel):
    """What a replay has published again."""

    kind: Literal["replay"] = "replay"
    events: Annotated[int, Field(ge=0)] = Field(description="How many events were published.")
    first_sequence: SequenceNumber | None = Field(None, description="The first of them.")
    last_sequence: SequenceNumber | None = Field(None, description="The last of them.")
    complete: bool = Field(
        description="False if the oldest events that were wanted are no longer stored."
    )


ReplayResult = ReplayInfo
"""Every result of this family."""
