"""Whether somebody comes to an appointment."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.model import WireModel
from gateway_contracts.references import MessageReference


class Attendance(StrEnum):
    """What somebody has answered."""

    GOING = "going"
    NOT_GOING = "not_going"
    MAYBE = "maybe"


class EventResponseContent(WireModel):
    """Somebody's answer to an `event`; it takes the place of the one before by the same person."""

    kind: Literal["event_response"] = "event_response"
    target: MessageReference = Field(description="The `event`.")
    response: Attendance
    extra_guests: Annotated[int, Field(ge=0)] = Field(
        0, description="How many others they bring along."
    )
