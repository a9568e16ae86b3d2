"""Commands that ask for what was counted, and what they return."""

from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from gateway_contracts.counting import DayCounts
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.model import WireModel

MOST_DAYS = 92


class AnalyticsCountersData(WireModel):
    """Which days are wanted, both included."""

    since: date
    until: date

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not 0 <= (self.until - self.since).days < MOST_DAYS:
            raise ValueError(f"until must not be before since, nor {MOST_DAYS} days after it")
        return self


class AnalyticsCounters(CommandEnvelope):
    """Ask how many messages a session has sent and received, by day and kind."""

    type: Literal["wa.analytics.counters.v1"] = "wa.analytics.counters.v1"
    data: AnalyticsCountersData


class Counters(WireModel):
    """What was counted, the oldest day first; a day on which there was nothing is left out."""

    kind: Literal["counters"] = "counters"
    days: tuple[DayCounts, ...] = Field(
        description="`delivered` and `read` are as of now for the last three days, and as of the "
        "end of the third day after it for an earlier one."
    )


AnalyticsCommand = AnalyticsCounters
"""Every command of this family."""

AnalyticsResult = Counters
"""What they return."""
