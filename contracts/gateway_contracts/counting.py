"""What is counted of a session, by the day."""

from datetime import date
from typing import Annotated

from pydantic import Field

from gateway_contracts.model import WireModel

Count = Annotated[int, Field(ge=0)]
"""How many."""


class KindCounts(WireModel):
    """Messages of one kind of content on one day."""

    content_kind: str = Field(examples=["text"])
    sent: Count = Field(0, description="By commands, that day.")
    delivered: Count = Field(
        0, description="Of those `sent`, how many somebody's device has confirmed since."
    )
    read: Count = Field(0, description="Of those `sent`, how many somebody has read since.")
    sent_elsewhere: Count = Field(
        0, description="By the account's owner, on the phone or another device."
    )
    received: Count = 0


class DayCounts(WireModel):
    """What there was on one day, from midnight to midnight UTC, by the gateway's clock."""

    day: date
    kinds: tuple[KindCounts, ...] = ()
    failed: dict[str, Count] = Field(
        default_factory=dict, description="Sends that have failed or are uncertain, by error code."
    )
