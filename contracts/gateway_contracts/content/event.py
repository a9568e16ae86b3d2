"""An appointment."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import FreeText, Timestamp, WireModel

_Short = Annotated[FreeText, Field(min_length=1, max_length=255), PERSONAL]
_Long = Annotated[FreeText, Field(min_length=1, max_length=2_048), PERSONAL]


class EventToSend(WireModel):
    """An appointment to send.

    WhatsApp's apps offer to come; their answers arrive as `event.response`.
    """

    kind: Literal["event"] = "event"
    name: _Short
    starts_at: Timestamp
    ends_at: Timestamp | None = None
    description: _Long | None = None
    place: _Short | None = Field(None, description="What the place is called.")
    join_link: _Long | None = Field(None, description="Where a call takes place.")


class EventContent(WireModel):
    """An appointment as it arrived. Answers to it come as `event.response`."""

    kind: Literal["event"] = "event"
    name: Annotated[str, PERSONAL]
    starts_at: Timestamp | None = Field(None, description="Absent if it is no time.")
    ends_at: Timestamp | None = None
    description: Annotated[str, PERSONAL] | None = None
    place: Annotated[str, PERSONAL] | None = None
    join_link: Annotated[str, PERSONAL] | None = None
    canceled: bool = False
