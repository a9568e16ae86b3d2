"""How long events wait for a queue that refuses them."""

import math
from collections.abc import Sequence

import pytest

from gateway_worker.outbox.relay import RefusalWindow

Step = float | str
DOUBT = "doubt"


@pytest.mark.parametrize(
    ("seconds", "steps", "over_at"),
    [
        (5.0, (0.0, 4.9, 5.0, 20.0), (5.0, 20.0)),
        (5.0, (0.0, 5.0, 36.0, 40.9, 41.0), (5.0, 41.0)),  # nothing was refused for long
        (5.0, (0.0, 5.0, 10.0, DOUBT, 10.5, 15.4, 15.5), (5.0, 10.0, 15.5)),
        (5.0, (0.0, 5.0, 9.9, DOUBT, 9.9), (5.0, 9.9, 9.9)),  # it has hardly been over
        (5.0, (DOUBT, 0.0, 3.0, DOUBT, 3.0, 5.0), (5.0,)),  # it runs already
        (20.0, (0.0, 20.0, 40.0, DOUBT, 40.0, DOUBT, 59.0, 60.0), (20.0, 40.0, 60.0)),
        (0.0, (0.0, DOUBT, 1.0), (0.0, 1.0)),
        (math.inf, (0.0, 5.0, DOUBT, 1e9), ()),
    ],
)
def test_events_wait_from_the_first_refusal_on(
    seconds: float, steps: Sequence[Step], over_at: Sequence[float]
) -> None:
    """And once more if another queue may be the one that refuses by now, but not all the time."""
    now = 0.0
    window = RefusalWindow(seconds=seconds, clock=lambda: now)
    found = []
    for step in steps:
        if isinstance(step, str):
            window.begin_anew()
            continue
        now = step
        if window.is_over():
            found.append(now)

    assert tuple(found) == tuple(over_at)
