"""Bulks: many sends that were asked for at once."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import CommandId, Timestamp, WireModel


class BulkState(StrEnum):
    """How a bulk stands."""

    RUNNING = "running"
    PAUSED = "paused"
    """No row begins until `bulk.resume`."""
    CANCELLING = "cancelling"
    """No row begins any more; what has begun comes to its end."""
    CANCELLED = "cancelled"
    """It is over; rows that had not begun are not sent."""
    FINISHED = "finished"
    """It is over; each row has its outcome."""


class BulkReason(StrEnum):
    """Why a bulk was paused by the gateway."""

    ACCOUNT_RESTRICTED = "account_restricted"
    """WhatsApp has banned the account."""
    REACHOUT_RESTRICTED = "reachout_restricted"
    """WhatsApp lets the account begin no new chats for now."""
    NOT_LINKED = "not_linked"
    """The session has no account any more."""
    FAILURES = "failures"
    """More rows have failed than `stop` allows."""


class BulkResultFile(WireModel):
    """How each row has ended: JSON lines, in the order of the rows.

    A line has `row`, `id`, `state` (`succeeded`, `failed`, `uncertain` or `cancelled`), and, as far
    as there are any, `message_id` and `chat` of the message, and `code` of the error.
    """

    key: str = Field(max_length=1_024, description="Its object in the gateway's bucket.")
    url: Annotated[str, PERSONAL] | None = Field(
        None, description="Where it can be read, for whoever has this URL."
    )
    url_expires_at: Timestamp | None = Field(None, description="Until when.")


class BulkCounts(WireModel):
    """A bulk, and how far it has come."""

    bulk_id: CommandId = Field(description="The `id` of its `bulk.create`.")
    state: BulkState
    reason: BulkReason | None = Field(
        None, description="Why the gateway has paused it; absent if its backend has."
    )
    rows: Annotated[int, Field(ge=1)]
    succeeded: Annotated[int, Field(ge=0)] = 0
    failed: Annotated[int, Field(ge=0)] = 0
    uncertain: Annotated[int, Field(ge=0)] = Field(
        0, description="Rows of which it is not known whether they were sent; none is sent again."
    )
    cancelled: Annotated[int, Field(ge=0)] = Field(
        0, description="Rows that were not sent, because the bulk was called off."
    )
