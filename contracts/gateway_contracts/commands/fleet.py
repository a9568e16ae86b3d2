"""Commands that concern no single session, and what they return.

Their subject, and so the routing key that they are published with, is `_fleet`: any worker answers.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, FailFast, Field

from gateway_contracts.commands.session import SessionInfo
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.model import (
    FLEET_PATTERN,
    Labels,
    PageCursor,
    PageLimit,
    SessionId,
    Timestamp,
    WireModel,
    WorkerId,
    whole,
)
from gateway_contracts.states import LogLevel, SessionState


class SessionListData(WireModel):
    """Which sessions are wanted; all that is given has to be true of them."""

    states: Annotated[tuple[SessionState, ...], FailFast(), Field(max_length=16)] = Field(
        (), description="One of these; none means all."
    )
    labels: Labels = Field(
        default_factory=dict, description="They have these labels, with these values."
    )
    worker: WorkerId | None = Field(None, description="Who has them.")
    limit: PageLimit = 50
    cursor: PageCursor | None = Field(
        None, description="`next_cursor` of the page before; all else has to be the same."
    )


class SessionList(CommandEnvelope):
    """List the sessions of the fleet, in the order of their names, as the database has them.

    Its subject is `_fleet`; in a fleet with tenants it has the tenant and a dot before it
    (`acme._fleet`), and only that tenant's sessions are told. The result is not stored: a repeat is
    answered anew.
    """

    type: Literal["wa.session.list.v1"] = "wa.session.list.v1"
    subject: Annotated[str, Field(pattern=FLEET_PATTERN, examples=["_fleet"])]
    data: SessionListData = Field(default_factory=SessionListData)


class ListedSession(SessionInfo):
    """A session of the fleet; `heard_at` only its worker knows."""

    session: SessionId


class SessionPage(WireModel):
    """Some sessions: as many as were asked for at most, and as have room in one message."""

    kind: Literal["sessions"] = "sessions"
    sessions: tuple[ListedSession, ...]
    next_cursor: PageCursor | None = Field(
        None, description="Goes into the next `session.list`; absent at the end."
    )


class WorkerSetLogLevelData(WireModel):
    """What to log, who, and for how long."""

    level: LogLevel
    worker: WorkerId | None = Field(None, description="Which worker; none means all that live.")
    seconds: Annotated[int, Field(ge=1, le=86_400), BeforeValidator(whole)] = Field(
        900, description="After so long it is as its `LOG_LEVEL` says again."
    )


class WorkerSetLogLevel(CommandEnvelope):
    """Have workers log more, or less, for a while.

    Its subject is `_fleet`. A later one replaces it; a worker that starts anew has forgotten it.
    """

    type: Literal["wa.worker.set_log_level.v1"] = "wa.worker.set_log_level.v1"
    subject: Literal["_fleet"]
    data: WorkerSetLogLevelData


class LogLevelSet(WireModel):
    """Who was told to log how. Each shows it in its heartbeats (`log_level`) when it does."""

    kind: Literal["log_level"] = "log_level"
    level: LogLevel
    workers: tuple[WorkerId, ...] = Field(description="Those that live and were told.")
    until: Timestamp


FleetCommand = SessionList | WorkerSetLogLevel
"""Every command of this family."""

FleetResult = SessionPage | LogLevelSet
"""What they return."""
