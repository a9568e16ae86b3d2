"""Events of what is counted, and of how a session does."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.counting import Count, DayCounts
from gateway_contracts.envelope import SessionEventData, SessionEventEnvelope
from gateway_contracts.marks import PERSONAL


class AnalyticsDailyData(SessionEventData):
    """What a session has sent and received on a day."""

    counts: DayCounts
    labels: dict[str, Annotated[str, PERSONAL]] = Field(
        default_factory=dict, description="The session's labels, to add up by."
    )


class AnalyticsDaily(SessionEventEnvelope):
    """A day is over. Told once for each session and day, within the first hours of the next.

    Nothing is told of days on which there was nothing.
    """

    type: Literal["wa.analytics.daily.v1"] = "wa.analytics.daily.v1"
    data: AnalyticsDailyData


class HealthGrade(StrEnum):
    """How a session does."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


class HealthReason(StrEnum):
    """What makes a grade worse than `good`."""

    FAILURES = "failures"
    """Many sends fail at WhatsApp or at the recipients."""
    REFUSALS = "refusals"
    """WhatsApp refuses new chats (463)."""
    RETRY_RECEIPTS = "retry_receipts"
    """Many devices ask for messages again, for they cannot decrypt them."""
    COLD_CHATS = "cold_chats"
    """Much is sent to people who have never written: what accounts are banned for."""
    SILENCE = "silence"
    """WhatsApp has sent nothing for long over the connection."""


class SessionHealthData(SessionEventData):
    """How a session does, and by what that is judged: the last hour."""

    grade: HealthGrade
    previous: HealthGrade
    reasons: tuple[HealthReason, ...] = ()
    sends: Count = Field(description="Sends that have come to their end.")
    failures: Count = Field(
        description="Of these, how many have failed at WhatsApp or at the recipients, or are "
        "uncertain."
    )
    refusals: Count = Field(description="Of these, how many were refused as new chats (463).")
    retry_receipts: Count = Field(
        description="How often a device has asked for a message again, since the session's process "
        "is watched."
    )
    chats: Count = Field(description="People that something was sent to.")
    cold_chats: Count = Field(description="Of these, how many have never written.")
    silent_seconds: Annotated[float, Field(ge=0)] | None = Field(
        None, description="How long ago WhatsApp has sent anything; absent if not connected."
    )


class SessionHealth(SessionEventEnvelope):
    """The grade of a session's health has changed, and lastingly: one look changes none."""

    type: Literal["wa.session.health.v1"] = "wa.session.health.v1"
    data: SessionHealthData


AnalyticsEvent = AnalyticsDaily | SessionHealth
"""Every event of this family."""
