"""How long it takes until the fleet works again when a service, or a node of one, is lost."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from gateway_worker.devkit.chaos.audit.verdict import Recovery, Spread
from gateway_worker.devkit.chaos.history import History, Kind, Purpose, Strike

WATCHED_SECONDS: Final = 30.0
"""What begins later than so long after a loss has another cause."""
_AT_ONCE: Final = frozenset({Purpose.SEND, Purpose.CHECK})
"""Commands that are to be done as soon as they have come."""


def recoveries(history: History) -> Mapping[str, Recovery]:
    """Return by the kind of fault how long its strikes were felt, as the backend sees it.

    Whatever else is done to the fleet meanwhile makes that longer.
    """
    successes = {
        told.command_id: told.came
        for told in history.events_seen
        if told.kind is Kind.SUCCEEDED and not told.repeated
    }
    waits = [
        (one.at, successes[one.command_id])
        for one in history.published
        if one.purpose in _AT_ONCE and one.command_id in successes
    ]
    by_kind: dict[str, list[Strike]] = defaultdict(list)
    for strike in history.strikes:
        by_kind[strike.kind].append(strike)
    moments = sorted(successes.values())
    return {
        kind: Recovery(
            pauses=Spread.of([max(_gaps(moments, strike), default=0.0) for strike in strikes]),
            waits=Spread.of([max(_waits(waits, strike), default=0.0) for strike in strikes]),
        )
        for kind, strikes in by_kind.items()
    }


def _gaps(moments: Sequence[float], strike: Strike) -> Iterator[float]:
    """Yield the times between two successes, one of which came after the strike."""
    for before, after in pairwise(moments):
        if after > strike.at and before < strike.at + WATCHED_SECONDS:
            yield after - before


def _waits(waits: Sequence[tuple[float, float]], strike: Strike) -> Iterator[float]:
    """Yield how long commands waited that were under way at the strike, or came after it."""
    for published, came in waits:
        if came > strike.at and published < strike.at + WATCHED_SECONDS:
            yield came - max(published, strike.at)
