"""Draws the schedule of faults from a seed: the same seed, the same plan.

Every kind is one row of `KINDS`. Targets are places (the third worker, the tenth session): what is
there when the moment comes is hit. A worker or a service that is being hit is left alone until it
had time to come back, and one worker at least always stays.
"""

import enum
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway_worker.devkit.proxy import Direction

SERVICES: Final = ("rabbitmq", "postgres", "redis", "s3")
LINKS: Final = (*SERVICES, "whatsapp")


class Topology(enum.StrEnum):
    """What the workers' services are."""

    SINGLE = "single"
    """One of each."""
    HA = "ha"
    """A broker of three nodes, a database with a standby."""


class Target(enum.Enum):
    """What a kind of fault hits."""

    SESSION = "session"
    WORKER = "worker"
    SERVICE = "service"
    LINK = "link"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of fault.

    Attributes:
        weight: How often it is drawn, against the others.
        seconds: How long it lasts, at least and at most; of a worker that is killed or stopped: how
            long it stays away.
        of_lease: Added to that, in leases.
        back_seconds: How long what was hit is left alone afterwards.
        service: Of faults of one service: its name.
        is_away: The worker does no work meanwhile.
        earliest_seconds: Not before so much of the run has passed.
        topology: Where there is something to hit; None for everywhere.
    """

    name: str
    target: Target
    weight: float
    seconds: tuple[float, float] = (0.0, 0.0)
    of_lease: float = 0.0
    back_seconds: float = 1.0
    service: str = ""
    is_away: bool = False
    earliest_seconds: float = 0.0
    topology: Topology | None = None


def _worker(name: str, weight: float, **more: object) -> Kind:
    return Kind(name=name, target=Target.WORKER, weight=weight, is_away=True, **more)  # type: ignore[arg-type]


def _service(name: str, weight: float, service: str, **more: object) -> Kind:
    return Kind(name=name, target=Target.SERVICE, weight=weight, service=service, **more)  # type: ignore[arg-type]


def _alone(name: str, weight: float, service: str, **more: object) -> Kind:
    return _service(name, weight, service, topology=Topology.SINGLE, **more)


def _node(name: str, weight: float, service: str, **more: object) -> Kind:
    return _service(name, weight, service, topology=Topology.HA, back_seconds=12, **more)


KINDS: Final = (
    Kind(name="host_kill", target=Target.SESSION, weight=14),
    Kind(name="whatsapp_drop", target=Target.SESSION, weight=8),
    Kind(name="whatsapp_redelivery", target=Target.SESSION, weight=4),
    Kind(name="whatsapp_late_answers", target=Target.SESSION, weight=4, seconds=(1, 4)),
    Kind(name="whatsapp_file_faults", target=Target.SESSION, weight=6, seconds=(2, 8)),
    Kind(name="whatsapp_unknown", target=Target.SESSION, weight=5),
    Kind(name="migrate", target=Target.SESSION, weight=12),
    Kind(name="duplicates", target=Target.EVERYTHING, weight=5),
    Kind(name="whatsapp_outage", target=Target.EVERYTHING, weight=2, seconds=(1, 4)),
    Kind(name="whatsapp_refusals", target=Target.EVERYTHING, weight=3, seconds=(3, 10)),
    _worker("zygote_kill", 4, back_seconds=3),
    Kind(name="inspection_kill", target=Target.WORKER, weight=2),
    _worker("worker_kill", 4, back_seconds=8),
    _worker("worker_kill_away", 4, seconds=(4, 9), of_lease=1.5, back_seconds=8),
    _worker("worker_main_kill", 3, seconds=(0, 1), back_seconds=8),
    _worker("worker_main_kill_away", 2, seconds=(4, 9), of_lease=1.5, back_seconds=8),
    _worker("worker_freeze", 3, seconds=(1, 4), of_lease=1, back_seconds=8),
    _worker("machine_freeze", 2, seconds=(1, 4), of_lease=1, back_seconds=8),
    Kind(name="worker_rival", target=Target.WORKER, weight=2, back_seconds=3),
    Kind(name="output_unread", target=Target.WORKER, weight=2, seconds=(3, 8)),
    Kind(name="probes_flooded", target=Target.WORKER, weight=2, seconds=(1, 4)),
    _worker("worker_drain", 5, seconds=(0, 6), back_seconds=10),
    _alone("broker_restart", 2, "rabbitmq", seconds=(0, 3), back_seconds=12, earliest_seconds=15),
    _alone("broker_kill", 2, "rabbitmq", seconds=(0, 3), back_seconds=12, earliest_seconds=15),
    _alone("postgres_restart", 2, "postgres", seconds=(0, 3), back_seconds=6),
    _alone("postgres_kill", 2, "postgres", seconds=(0, 3), back_seconds=6),
    _alone("postgres_stall", 1, "postgres", seconds=(1, 5), back_seconds=6),
    _alone("postgres_closed", 2, "postgres", seconds=(1, 6), back_seconds=6),
    _alone("postgres_reads_only", 2, "postgres", seconds=(1, 6), back_seconds=6),
    _node("node_kill", 5, "rabbitmq", seconds=(0, 6), earliest_seconds=15),
    _node("node_restart", 4, "rabbitmq", seconds=(0, 3), earliest_seconds=15),
    _node("node_isolated", 4, "rabbitmq", seconds=(3, 12), earliest_seconds=15),
    _node("node_frozen", 2, "rabbitmq", seconds=(1, 15), earliest_seconds=15),
    _node("primary_kill", 4, "postgres", seconds=(0, 3)),
    _node("standby_kill", 3, "postgres", seconds=(0, 4)),
    _service("redis_kill", 3, "redis", seconds=(0, 4), back_seconds=2),
    _service("s3_kill", 3, "s3", seconds=(0, 6), back_seconds=6),
    Kind(name="old_copy", target=Target.SESSION, weight=3),
    Kind(name="binding_deleted", target=Target.SESSION, weight=4),
    Kind(name="forged_claims", target=Target.SESSION, weight=3),
    Kind(name="events_as_commands", target=Target.EVERYTHING, weight=3, seconds=(1, 3)),
    Kind(name="oversized_bodies", target=Target.SESSION, weight=3),
    Kind(name="ids_reused", target=Target.SESSION, weight=3),
    Kind(name="link_cut", target=Target.LINK, weight=12, seconds=(2, 5)),
    Kind(name="link_stall", target=Target.LINK, weight=7, seconds=(2, 10), back_seconds=4),
    Kind(name="link_slow", target=Target.LINK, weight=5, seconds=(3, 10)),
    Kind(name="link_narrow", target=Target.LINK, weight=2, seconds=(3, 8)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """One fault of the plan.

    Attributes:
        at_seconds: After the beginning of the faults.
        worker: Place of a worker.
        session: Place of a session.
        service: A service, or the one that a link leads to.
        seconds: How long it lasts.
        dice: A number from 0 to 1, for whatever else has to be drawn.
        direction: Of cuts.
        size_bytes: Of cuts: after how many more bytes.
    """

    number: int
    at_seconds: float
    kind: str
    worker: int
    session: int
    service: str
    seconds: float
    dice: float
    direction: Direction
    size_bytes: int

    def __str__(self) -> str:
        target = next(kind.target for kind in KINDS if kind.name == self.kind)
        what = {
            Target.SESSION: f"session {self.session}",
            Target.WORKER: f"worker {self.worker}",
            Target.SERVICE: self.service,
            Target.LINK: f"worker {self.worker} to {self.service}",
            Target.EVERYTHING: "",
        }[target]
        lasts = f"for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.number:4} {self.at_seconds:8.1f} s  {self.kind:<22} {what} {lasts}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What a plan is made for.

    Attributes:
        seconds: How long faults happen.
        per_minute: How many of them.
        only: The kinds to draw from; all if empty.
        topology: What the services are.
    """

    seed: int
    seconds: float
    workers: int
    sessions: int
    lease_seconds: float
    per_minute: float = 13.0
    only: Sequence[str] = ()
    topology: Topology = Topology.SINGLE

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What can be hit, if anything may be."""
        return tuple(kind for kind in KINDS if kind.topology in {None, self.topology})


@dataclass(slots=True)
class _Board:
    """What is being hit, and until when it is left alone."""

    busy: dict[str, float] = field(default_factory=dict)
    away: dict[int, float] = field(default_factory=dict)
    drawn: Counter[str] = field(default_factory=Counter)

    def weight(self, kind: Kind) -> float:
        """What has not come yet becomes likelier, so that a long run has everything."""
        return kind.weight * (1 if self.drawn[kind.name] else 1 + self.drawn.total() / 30)

    def is_free(self, name: str, now: float) -> bool:
        return self.busy.get(name, 0.0) <= now

    def workers_there(self, workers: int, now: float) -> list[int]:
        return [place for place in range(workers) if self.away.get(place, 0.0) <= now]


def draw_plan(options: PlanOptions) -> tuple[Injection, ...]:
    """Draw the whole schedule.

    Raises:
        ValueError: `only` names a kind that does not exist.
    """
    if unknown := set(options.only) - {kind.name for kind in options.kinds}:
        raise ValueError(f"no such faults: {', '.join(sorted(unknown))}")
    return tuple(_draw(options))


def _draw(options: PlanOptions) -> Iterator[Injection]:
    dice = random.Random(options.seed)  # noqa: S311 - to be repeated, not to be secret
    board = _Board()
    pause = 60.0 / options.per_minute
    now, number = pause, 0
    while now < options.seconds:
        injection = _strike(options, dice, board, now, number + 1)
        if injection is not None:
            number += 1
            yield injection
        now += pause * dice.uniform(0.5, 1.5)


def _strike(
    options: PlanOptions, dice: random.Random, board: _Board, now: float, number: int
) -> Injection | None:
    """Draw a kind until one finds a target that can be hit now."""
    kinds = [kind for kind in options.kinds if not options.only or kind.name in options.only]
    while kinds:
        kind = dice.choices(kinds, [board.weight(one) for one in kinds])[0]
        seconds = dice.uniform(*kind.seconds) + kind.of_lease * options.lease_seconds
        target = _target(kind, options, dice, board, now)
        if target is None or now < kind.earliest_seconds:
            kinds.remove(kind)
            continue
        worker, service = target
        board.drawn[kind.name] += 1
        _occupy(board, kind, worker, service, now + seconds + kind.back_seconds)
        return Injection(
            number=number,
            at_seconds=round(now, 2),
            kind=kind.name,
            worker=worker,
            session=dice.randrange(options.sessions),
            service=service,
            seconds=round(seconds, 2),
            dice=dice.random(),
            direction=dice.choice(list(Direction)),
            size_bytes=dice.choice((1, 6, 60, 600, 4000)),
        )
    return None


def _target(
    kind: Kind, options: PlanOptions, dice: random.Random, board: _Board, now: float
) -> tuple[int, str] | None:
    """Return a worker and a service to hit; None if all that might be are busy."""
    there = board.workers_there(options.workers, now)
    match kind.target:
        case Target.WORKER:
            # one that stays, unless there is only one anyway and it comes back by itself
            if len(there) < min(2, options.workers):
                return None
            return dice.choice(there), ""
        case Target.SERVICE:
            return (0, kind.service) if board.is_free(kind.service, now) else None
        case Target.LINK:
            free = [
                (worker, service)
                for worker in there
                for service in LINKS
                if board.is_free(f"{worker}-{service}", now)
            ]
            return dice.choice(free) if free else None
        case _:
            return (0, "") if board.is_free(kind.name, now) else None


def _occupy(board: _Board, kind: Kind, worker: int, service: str, until: float) -> None:
    match kind.target:
        case Target.WORKER:
            board.away[worker] = until
        case Target.SERVICE:
            board.busy[service] = until
        case Target.LINK:
            board.busy[f"{worker}-{service}"] = until
        case Target.EVERYTHING:
            board.busy[kind.name] = until
        case Target.SESSION:
            pass
