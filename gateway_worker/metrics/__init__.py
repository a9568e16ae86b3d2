"""Every figure that the worker counts, in one frozen object with a registry of its own.

`app.py` makes one and hands its parts to whoever counts; the health sidecar renders it. Labels come
from closed sets (`labels`), never from what a backend sends, so the number of series has a bound
that does not depend on sessions or traffic. A figure is a field of `instruments.Metrics`, where it
says what it means, and a line in `making`.
"""

from gateway_worker.metrics.instruments import Metrics
from gateway_worker.metrics.labels import (
    COMMAND_TYPES,
    EVENT_TYPES,
    IGNORED,
    OPEN_BULKS,
    PACED_BY,
    ROW_ENDS,
    SNAPSHOT_TROUBLES,
)
from gateway_worker.metrics.making import make_metrics

__all__ = [
    "COMMAND_TYPES",
    "EVENT_TYPES",
    "IGNORED",
    "OPEN_BULKS",
    "PACED_BY",
    "ROW_ENDS",
    "SNAPSHOT_TROUBLES",
    "Metrics",
    "make_metrics",
]
