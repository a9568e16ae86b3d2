"""Tells what is new in a stream of events that the broker may repeat."""

from collections import OrderedDict
from collections.abc import Mapping

from gateway_contracts.envelope import Envelope, SessionEventEnvelope, WorkerEventEnvelope

AnyEvent = SessionEventEnvelope | WorkerEventEnvelope
"""An event, whether its type is known or not."""

SESSIONS_KEPT = 100_000
IDS_KEPT = 10_000


class EventOrder:
    """Knows how far each session's events have been handled.

    Events with a `sequence` are told apart by it: there is one of each, and they come in order.
    The others (heartbeats, outcomes that belong to no session) are told apart by their ids, of
    which the newest are kept.

    Args:
        positions: The last sequence number that was handled of each session, from an earlier run.
    """

    def __init__(self, positions: Mapping[str, int] | None = None) -> None:
        self._positions: OrderedDict[str, int] = OrderedDict(positions or {})
        self._ids: OrderedDict[str, None] = OrderedDict()

    @property
    def positions(self) -> Mapping[str, int]:
        """The last sequence number that was handled of each session, to be kept for a later run."""
        return dict(self._positions)

    def is_repeat(self, event: AnyEvent) -> bool:
        """Whether an event was handled before."""
        number = _sequence(event)
        if number is None:
            return event.id in self._ids
        return number <= self._positions.get(event.subject, 0)

    def missing_before(self, event: AnyEvent) -> int:
        """Return how many events of its session are missing between the last one and this.

        0 for the first one that is seen of a session. With a queue that does not get everything of
        a session, what it does not get is missing.
        """
        number = _sequence(event)
        last = self._positions.get(event.subject)
        return 0 if number is None or last is None else max(0, number - last - 1)

    def handled(self, event: AnyEvent) -> None:
        """Take note that an event was handled."""
        number = _sequence(event)
        if number is None:
            self._ids[event.id] = None
            if len(self._ids) > IDS_KEPT:
                self._ids.popitem(last=False)
            return
        self._positions[event.subject] = max(number, self._positions.get(event.subject, 0))
        self._positions.move_to_end(event.subject)
        if len(self._positions) > SESSIONS_KEPT:
            self._positions.popitem(last=False)


def _sequence(event: Envelope) -> int | None:
    if isinstance(event, SessionEventEnvelope) and event.sequence is not None:
        return int(event.sequence)
    return None
