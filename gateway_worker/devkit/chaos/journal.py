"""Notes what is done to the fleet, and what each fault hits, while the run goes on."""

import json
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gateway_worker.devkit.chaos.history import Impact, ImpactKind, Strike, WorkerLoss
from gateway_worker.devkit.chaos.plan import Injection

MENDED_SECONDS: Final = 30.0
"""By then a binding that was deleted is there again: it is looked for every few seconds, but the
worker may be cut off from the broker meanwhile."""


class Journal:
    """Everything that was done on purpose.

    Args:
        path: Gets one JSON line for each fault; for whoever looks into a failed run.
    """

    def __init__(self, *, path: Path) -> None:
        self._path = path
        self.impacts: list[Impact] = []
        self.losses: list[WorkerLoss] = []
        self.injections: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.surprises: list[str] = []
        self.forged: set[str] = set()
        self.reused_ids: set[str] = set()
        self.strikes: list[Strike] = []

    def begun(self, injection: Injection) -> None:
        """Note that a fault is about to be done."""
        self._write(event="begun", kind=injection.kind, number=injection.number)

    def injected(self, injection: Injection, **details: object) -> None:
        """Note a fault that was done."""
        self.injections[injection.kind] += 1
        self._write(event=injection.kind, number=injection.number, **details)

    def missed_target(self, injection: Injection, reason: str) -> None:
        """Note a fault that found nothing to hit."""
        self.missed[injection.kind] += 1
        self._write(event="missed", kind=injection.kind, number=injection.number, reason=reason)

    def surprise(self, what: str) -> None:
        """Note something that nobody did on purpose."""
        self.surprises.append(what)
        self._write(event="surprise", what=what)

    def hit(
        self, sessions: Iterable[str], kind: ImpactKind, *, at: float, until: float | None = None
    ) -> None:
        """Note what a fault did to the hosts of these sessions."""
        end = at if until is None else until
        self.impacts.extend(
            Impact(session_id=session_id, kind=kind, at=at, until=end) for session_id in sessions
        )

    def rerouted(self, sessions: Iterable[str], *, at: float) -> None:
        """Note that bindings of these sessions were gone, or not known everywhere, until now."""
        until = time.time() + MENDED_SECONDS
        self.hit(sessions, ImpactKind.REROUTED, at=at, until=until)

    def lost(self, worker: str, sessions: Iterable[str], *, at: float) -> None:
        """Note that a worker is gone, and for a while."""
        self.losses.append(WorkerLoss(worker=worker, at=at, sessions=tuple(sessions)))

    def struck(self, kind: str, at: float) -> None:
        """Note that a service, or a node of one, is about to be lost."""
        self.strikes.append(Strike(kind=kind, at=at))

    def _write(self, **line: object) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"at": round(time.time(), 3), **line}, default=str) + "\n")
