"""`./dev bench [all|memory|throughput|latency|resume|crash|media|ALONE]`: its figures.

ALONE is one of those that are in no `all`. `history` fills a database of its own and measures how
it is read; `sync` has a phone send what was written before it was linked; `tenants` has one tenant
send hundreds at once while another one goes on; `bulk` kills workers meanwhile.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import uvloop

from tests.bench.bulk import measure_bulk
from tests.bench.harness import open_harness
from tests.bench.history import measure_history
from tests.bench.measures import (
    Plan,
    measure_crash,
    measure_latency,
    measure_links,
    measure_memory,
    measure_resume,
    measure_throughput,
)
from tests.bench.media import measure_media
from tests.bench.sync import measure_sync
from tests.bench.tenants import measure_tenants

MEASURES = ("memory", "throughput", "latency", "resume", "crash", "media")
ALONE = ("bulk", "history", "sync", "tenants")
PACKAGES = ("neonize", "aio-pika", "aiormq", "sqlalchemy", "asyncpg", "redis", "pydantic", "uvloop")


def main() -> int:
    """Measure and print; returns the exit code."""
    usual = Plan()
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("measure", nargs="?", default="all", choices=("all", *MEASURES, *ALONE))
    parser.add_argument("--sessions", type=int, default=usual.sessions)
    parser.add_argument(
        "--messages", type=int, default=usual.messages, help="per session and round"
    )
    parser.add_argument("--rounds", type=int, default=usual.rounds)
    parser.add_argument(
        "--rows",
        type=int,
        help="of bulk, in all (10,000); messages of history (10,000,000), of sync (50,000)",
    )
    parser.add_argument("--kills", type=int, default=3, help="of workers, during bulk")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    arguments = parser.parse_args()
    plan = Plan(sessions=arguments.sessions, messages=arguments.messages, rounds=arguments.rounds)
    wanted = MEASURES if arguments.measure == "all" else (arguments.measure,)
    if arguments.measure == "bulk":  # it breaks what the others stand on
        figures = uvloop.run(_measure_bulk(plan, arguments.rows or 10_000, arguments.kills))
    elif arguments.measure == "history":
        figures = uvloop.run(_measure_history(arguments.rows or 10_000_000))
    elif arguments.measure == "sync":
        figures = uvloop.run(_measure_sync(arguments.rows or 50_000))
    elif arguments.measure == "tenants":
        figures = uvloop.run(_measure_tenants())
    else:
        figures = uvloop.run(_measure(plan, wanted))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    _print(figures)
    return 0


async def _measure_history(rows: int) -> dict[str, Any]:
    _say(f"reading a history of {rows} messages")
    return {"machine": _machine(), "history": await measure_history(rows=rows)}


async def _measure_sync(messages: int) -> dict[str, Any]:
    async with open_harness(capacity=2, wanted=("#",)) as harness:
        sync = await measure_sync(harness, messages=messages, say=_say)
    return {"machine": _machine(), "sync": sync}


async def _measure_tenants() -> dict[str, Any]:
    _say("a tenant alone, and beside another one's flood, in turn")
    return {"machine": _machine(), "tenants": await measure_tenants()}


async def _measure(plan: Plan, wanted: tuple[str, ...]) -> dict[str, Any]:
    figures: dict[str, Any] = {"machine": _machine()}
    async with open_harness(capacity=plan.sessions) as harness:
        _say(f"linking {plan.sessions} sessions")
        loaded = await measure_links(harness, plan)
        if "resume" in wanted or "memory" in wanted:
            _say("restarting the worker")
            figures["resume"] = await measure_resume(harness, plan)
        if "memory" in wanted:
            _say("memory, idle and after traffic")
            figures["memory"] = await measure_memory(harness, plan, loaded)
        if "throughput" in wanted or "latency" in wanted:
            _say("throughput, raw hosts and gateway in turn")
            figures["throughput"] = await measure_throughput(harness, plan)
        if "latency" in wanted:
            _say("latency at half load")
            figures["latency"] = await measure_latency(
                harness, plan, figures["throughput"]["gateway_per_s"]
            )
        if "crash" in wanted:
            _say("one host killed under traffic")
            figures["crash"] = await measure_crash(harness, plan)
        if "media" in wanted:
            _say("a large document")
            figures["media"] = await measure_media(harness)
    return figures


async def _measure_bulk(plan: Plan, rows: int, kills: int) -> dict[str, Any]:
    bulk = await measure_bulk(rows=rows, kills=kills, sessions=plan.sessions, say=_say)
    return {"machine": _machine(), "bulk": bulk}


def _machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _print(figures: dict[str, Any]) -> None:
    for name, value in _flat("", figures):
        print(f"{name:<48} {value}")


def _flat(prefix: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(prefix, value)]
    return [
        line
        for key, inner in value.items()
        for line in _flat(f"{prefix}.{key}" if prefix else key, inner)
    ]


if __name__ == "__main__":
    sys.exit(main())
