"""What may be told late: it was on the disk of a worker whose session another one has taken over.

That worker passes it on when it is back, behind what its successor has told meanwhile. If only its
own process stood still, its host went on until the lease ended.
"""

import math
from collections import defaultdict

from gateway_contracts import SessionState, StatusReason
from gateway_worker.devkit.chaos.history import EventSeen, History

_SECOND = 1.0
"""Receipts tell their time in whole seconds."""


class Takeovers:
    """When sessions were taken over, and until when their former owners' hosts may have had them.

    Args:
        history: The run.
    """

    def __init__(self, history: History) -> None:
        found: dict[str, list[tuple[EventSeen, float]]] = defaultdict(list)
        for told in history.events_seen:
            if told.reason is StatusReason.TAKEN_OVER:
                found[told.session_id].append((told, math.inf))
            elif told.state is SessionState.CONNECTED and found[told.session_id]:
                taken, until = found[told.session_id][-1]
                found[told.session_id][-1] = (taken, min(until, told.at))
        self._found = found

    def explain(self, told: EventSeen, *, arrived_at: float) -> bool:
        """Tell whether a former owner may have held what is told.

        Args:
            told: The event.
            arrived_at: When it came to the host, at the earliest.
        """
        return any(
            arrived_at - _SECOND <= until and (taken.sequence or 0) < (told.sequence or 0)
            for taken, until in self._found[told.session_id]
        )
