"""Joins what handles all that is stored of one person."""

from dataclasses import dataclass

from gateway_worker.history.erasing import Eraser
from gateway_worker.history.exporting import Exporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """Erases what is stored of a person, and exports it."""

    eraser: Eraser
    exporter: Exporter
