"""The command line of `./dev chaos`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway_worker.devkit.chaos.plan import KINDS, PlanOptions, Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is to be run.

    Attributes:
        rate: Messages per second and session, each way.
        settle_seconds: How long nothing may come to its end at the end, before it is given up.
        json_path: Gets the result.
        logs: Where everything is left for a look; None: a directory that is removed.
        only_plan: Print the schedule and do nothing.
    """

    plan: PlanOptions
    rate: float = 0.5
    settle_seconds: float = 180.0
    json_path: Path | None = None
    logs: Path | None = None
    only_plan: bool = False


def read_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; ends the process if it is wrong."""
    found = _parser().parse_args(arguments)
    return Options(
        plan=PlanOptions(
            seed=found.seed,
            seconds=60 * found.minutes,
            workers=found.workers,
            sessions=found.sessions,
            lease_seconds=found.lease,
            per_minute=found.faults,
            only=tuple(found.only.split(",")) if found.only else (),
            topology=Topology(found.topology),
        ),
        rate=found.rate,
        settle_seconds=found.settle,
        json_path=found.json,
        logs=found.keep_logs,
        only_plan=found.plan,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev chaos",
        description="Real traffic while a seeded schedule breaks everything; then an audit of what "
        "a backend and the phones have seen. Exits with 1 if a promise was broken.",
    )
    add = parser.add_argument
    add("--minutes", type=_above_zero, default=2, metavar="M", help="how long (default: 2)")
    add("--seed", type=int, default=1, metavar="S", help="of the schedule (default: 1)")
    add("--workers", type=_count, default=3, metavar="W", help="default: 3")
    add("--sessions", type=_count, default=6, metavar="N", help="default: 6")
    add(
        "--topology",
        choices=list(Topology),
        default=Topology.SINGLE,
        help="single: one of each service (default); ha: a RabbitMQ cluster of three nodes,"
        " PostgreSQL with a standby",
    )
    add("--json", type=Path, metavar="FILE", help="write the result there too")
    add(
        "--rate",
        type=_above_zero,
        default=0.5,
        metavar="R",
        help="messages per second and session, each way (default: 0.5)",
    )
    add(
        "--faults",
        type=_above_zero,
        default=13,
        metavar="F",
        help="per minute (default: 13)",
    )
    add("--only", metavar="KIND,…", help="only these: " + ", ".join(kind.name for kind in KINDS))
    add("--lease", type=_above_zero, default=6, metavar="SECONDS", help="default: 6")
    add(
        "--settle",
        type=_above_zero,
        default=180,
        metavar="SECONDS",
        help="give up at the end if nothing comes to its end for so long (default: 180)",
    )
    add("--keep-logs", type=Path, metavar="DIR", help="leave logs, events and faults there")
    add("--plan", action="store_true", help="print the schedule and do nothing")
    return parser


def _above_zero(text: str) -> float:
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("has to be above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 999:  # noqa: PLR2004 - what the numbers of the phones have room for
        raise argparse.ArgumentTypeError("has to be from 1 to 999")
    return value
