"""How the bulks of a worker do, in figures for its metrics."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gateway_contracts import BulkState
from gateway_worker.commands.deferred.open_bulk import OpenBulk


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkFigures:
    """The bulks that are not over at one moment.

    Attributes:
        states: How many there are, by state.
        rows_left: Their rows that have no end.
        stalled_seconds: The longest time for which a bulk that runs has come no further, though
            neither its backend nor its session's pacing makes it wait.
    """

    states: Mapping[BulkState, int]
    rows_left: int
    stalled_seconds: float


def figures_of(bulks: Collection[OpenBulk], *, at: float) -> BulkFigures:
    """Return the figures of bulks.

    Args:
        bulks: Those that are not over.
        at: Now, by the loop's clock.
    """
    return BulkFigures(
        states=Counter(one.bulk.state for one in bulks),
        rows_left=sum(max(0, one.bulk.rows - one.ended - one.bulk.cancelled) for one in bulks),
        stalled_seconds=max((one.stalled_seconds(at) for one in bulks), default=0.0),
    )
