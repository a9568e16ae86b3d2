"""How long it takes until the fleet works again when a service, or a node of one, is lost."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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

    Whatever else is done to the fleet meanwhile makes that longer. What several strikes may have
    caused counts for one of them.
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
    strikes = sorted(history.strikes, key=lambda strike: strike.at)
    moments = sorted(successes.values())
    pauses = _longest(strikes, ((before, before, after) for before, after in pairwise(moments)))
    slowest = _longest(strikes, ((_last(moments, at), at, came) for at, came in waits), after=True)
    by_kind: dict[str, list[int]] = defaultdict(list)
    for place, strike in enumerate(strikes):
        by_kind[strike.kind].append(place)
    return {
        kind: Recovery(
            pauses=Spread.of([pauses[place] for place in places]),
            waits=Spread.of([slowest[place] for place in places]),
        )
        for kind, places in by_kind.items()
    }


def _last(moments: Sequence[float], at: float) -> float:
    """Return the last success before a moment; the moment itself if there is none."""
    place = bisect_right(moments, at)
    return moments[place - 1] if place else at


def _longest(
    strikes: Sequence[Strike],
    spans: Iterable[tuple[float, float, float]],
    *,
    after: bool = False,
) -> Sequence[float]:
    """Return for each strike the longest of the spans that are its doing.

    A span is the doing of the first strike since all was well, or else of the last one before it.

    Args:
        strikes: In the order of time.
        spans: Since when all was not well, and the span's own beginning and end.
        after: Count only what is after the strike.
    """
    times = [strike.at for strike in strikes]
    longest = [0.0] * len(strikes)
    for since, begin, end in spans:
        place = bisect_left(times, since)
        if place == len(times) or times[place] >= end:
            place = bisect_right(times, begin) - 1
            if place < 0 or begin - times[place] > WATCHED_SECONDS:
                continue
        begins = max(begin, times[place]) if after else begin
        longest[place] = max(longest[place], end - begins)
    return longest
