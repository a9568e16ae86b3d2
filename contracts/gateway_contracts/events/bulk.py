"""Events of bulks: how far one has come, and its end. Each row has an outcome of its own."""

from typing import Literal

from pydantic import Field

from gateway_contracts.bulks import BulkCounts, BulkResultFile
from gateway_contracts.envelope import SessionEventData, SessionEventEnvelope


class BulkProgressData(BulkCounts, SessionEventData):
    """How far a bulk has come."""


class BulkProgress(SessionEventEnvelope):
    """A bulk has come further, or was paused by the gateway; `correlationid` is its id.

    Told at most once in some seconds, but for a change of its state by the gateway.
    """

    type: Literal["wa.bulk.progress.v1"] = "wa.bulk.progress.v1"
    data: BulkProgressData


class BulkFinishedData(BulkCounts, SessionEventData):
    """How a bulk has ended."""

    result: BulkResultFile | None = Field(
        None, description="How each row has; absent if its session was deleted."
    )


class BulkFinished(SessionEventEnvelope):
    """A bulk is over: no row of it is sent any more; `correlationid` is its id."""

    type: Literal["wa.bulk.finished.v1"] = "wa.bulk.finished.v1"
    data: BulkFinishedData


BulkEvent = BulkProgress | BulkFinished
"""Every event of this family."""
