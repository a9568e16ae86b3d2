"""Commands about sends that are to be made later, and what they return."""

from typing import Literal

from pydantic import Field

from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.model import (
    ClientRef,
    CommandId,
    Destination,
    PageCursor,
    PageLimit,
    Timestamp,
    WireModel,
)


class ScheduleListData(WireModel):
    """Which page is wanted."""

    limit: PageLimit = 50
    cursor: PageCursor | None = Field(
        None, description="`next_cursor` of the page before; absent, the first page."
    )


class ScheduleList(CommandEnvelope):
    """Return what is scheduled (`scheduled_at`) and has not begun, the next due first.

    The rows of a bulk are not among it: `bulk.status` has them.
    """

    type: Literal["wa.schedule.list.v1"] = "wa.schedule.list.v1"
    data: ScheduleListData = Field(default_factory=ScheduleListData)


class ScheduledSend(WireModel):
    """A message or a status post that waits for its time."""

    command_id: CommandId
    scheduled_at: Timestamp
    to: Destination | None = Field(None, description="Absent for a status post.")
    content_kind: str = Field(description="`kind` of its content.", examples=["text"])
    client_ref: ClientRef | None = None


class ScheduledSends(WireModel):
    """A page of what is scheduled."""

    kind: Literal["scheduled"] = "scheduled"
    scheduled: tuple[ScheduledSend, ...]
    next_cursor: PageCursor | None = Field(
        None, description="Where the next page begins; absent on the last one."
    )


class ScheduleCancelData(WireModel):
    """Which command is called off."""

    command_id: CommandId = Field(description="The `id` of the command with `scheduled_at`.")


class ScheduleCancel(CommandEnvelope):
    """Call off a scheduled send: it ends with `command.failed`, code `cancelled`.

    One that has begun, or has its outcome, is not called off: this command then fails with
    `invalid_command`. One that was called off before stays so, which is a success.
    """

    type: Literal["wa.schedule.cancel.v1"] = "wa.schedule.cancel.v1"
    data: ScheduleCancelData


ScheduleCommand = ScheduleList | ScheduleCancel
"""Every command of this family."""

ScheduleResult = ScheduledSends
"""What they return."""
