"""Commands that ask for what was counted, and what they return."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway_contracts.counting import DayCounts
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.model import FLEET_PATTERN, Day, Labels, WireModel

MOST_DAYS = 92


class _Days(WireModel):
    since: Day
    until: Day

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not 0 <= (self.until - self.since).days < MOST_DAYS:
            raise ValueError(f"until must not be before since, nor {MOST_DAYS} days after it")
        return self


class AnalyticsCountersData(_Days):
    """Which days are wanted, both included."""


class AnalyticsCounters(CommandEnvelope):
    """Ask how many messages a session has sent and received, by day and kind."""

    type: Literal["wa.analytics.counters.v1"] = "wa.analytics.counters.v1"
    data: AnalyticsCountersData


class AnalyticsFleetData(_Days):
    """Which days are wanted, both included, and of which sessions."""

    labels: Labels = Field(
        default_factory=dict,
        description="Of sessions that had these labels, with these values, when the day was over.",
    )


class AnalyticsFleet(CommandEnvelope):
    """Ask how many messages all sessions with some labels have sent and received, by day and kind.

    Its subject is `_fleet`; in a fleet with tenants it has the tenant and a dot before it
    (`acme._fleet`), and only that tenant's sessions are counted. It adds up what `analytics.daily`
    has told: of days that are over, and of sessions that are not deleted. The result is not stored:
    a repeat is answered anew.
    """

    type: Literal["wa.analytics.fleet.v1"] = "wa.analytics.fleet.v1"
    subject: Annotated[str, Field(pattern=FLEET_PATTERN, examples=["_fleet"])]
    data: AnalyticsFleetData


class Counters(WireModel):
    """What was counted, the oldest day first; a day on which there was nothing is left out."""

    kind: Literal["counters"] = "counters"
    days: tuple[DayCounts, ...] = Field(
        description="`delivered` and `read` are as of now for the last three days, and as of the "
        "end of the third day after it for an earlier one."
    )


class FleetCounters(WireModel):
    """What was counted of several sessions, the oldest day first."""

    kind: Literal["fleet_counters"] = "fleet_counters"
    sessions: Annotated[int, Field(ge=0)] = Field(
        description="How many sessions there was something to count of."
    )
    days: tuple[DayCounts, ...] = Field(description="As of `analytics.counters`, added up.")


AnalyticsCommand = AnalyticsCounters | AnalyticsFleet
"""Every command of this family."""

AnalyticsResult = Counters | FleetCounters
"""What they return."""
