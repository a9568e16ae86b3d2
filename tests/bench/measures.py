"""The four measures. Each leaves the harness as it found it, so they can follow one another."""

import asyncio
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from gateway_contracts import SessionState
from tests.bench.cpu import gateway_parts, raw_parts
from tests.bench.harness import BenchHarness, Outcomes, RingRun, create_sessions, link_sessions
from tests.bench.raw import LEAN, RAW, run_ring, start_ring

SETTLE_SECONDS = 5.0
LOG_SECONDS = 1.0
"""Until the worker's last line is in its log."""
WARM_UP = 10
CRASH_MESSAGES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much to measure.

    Attributes:
        sessions: Sessions of the gateway, and raw hosts.
        messages: Messages each of them sends per round of the throughput.
        rounds: Rounds of the throughput, raw and gateway in turn.
        latency_seconds: How long the load of the latency measure lasts.
    """

    sessions: int = 20
    messages: int = 40
    rounds: int = 5
    latency_seconds: float = 20.0


async def measure_links(harness: BenchHarness, plan: Plan) -> dict[str, Any]:
    """Create and link the sessions; memory before anyone scans is that of a loaded library."""
    created = await create_sessions(harness, [f"bench-{number}" for number in range(plan.sessions)])
    await asyncio.sleep(SETTLE_SECONDS)
    loaded = harness.pss_mib() / plan.sessions
    await link_sessions(harness, created)
    return {"loaded": round(loaded, 2)}


async def measure_resume(harness: BenchHarness, plan: Plan) -> dict[str, Any]:
    """Restart the worker; from its start to the last session's connection."""
    await harness.worker.stop()
    after = len(harness.backend.arrivals)
    started = time.monotonic()
    await harness.worker.start(wait_ready=False)
    await harness.wait_connected(after)
    return {"seconds": round(time.monotonic() - started, 2), "sessions": plan.sessions}


async def measure_memory(
    harness: BenchHarness, plan: Plan, loaded: dict[str, Any]
) -> dict[str, Any]:
    """Memory of resumed sessions, and after 70 messages each way."""
    await asyncio.sleep(SETTLE_SECONDS)
    idle = harness.pss_mib() / plan.sessions
    await harness.send_ring(70)
    await asyncio.sleep(SETTLE_SECONDS)
    return {
        "pss_mib_per_session": {
            **loaded,
            "idle": round(idle, 2),
            "after_traffic": round(harness.pss_mib() / plan.sessions, 2),
        },
        "worker_rss_mib": round(harness.worker_rss_mib(), 1),
        "sessions": plan.sessions,
    }


async def measure_throughput(harness: BenchHarness, plan: Plan) -> dict[str, Any]:
    """The ring through the gateway and on raw hosts of both kinds, in turn, within one run."""
    gateway: list[RingRun] = []
    raw: dict[str, list[RingRun]] = {kind.name: [] for kind in (RAW, LEAN)}
    async with AsyncExitStack() as stack:
        rings = {
            kind.name: await start_ring(
                stack,
                kind,
                count=plan.sessions,
                directory=harness.directory,
                sandbox=harness.sandbox,
            )
            for kind in (RAW, LEAN)
        }
        for hosts in rings.values():
            await run_ring(hosts, WARM_UP)
        await harness.send_ring(WARM_UP)
        for _ in range(plan.rounds):
            for kind, hosts in rings.items():
                raw[kind].append(await run_ring(hosts, plan.messages))
            gateway.append(await harness.send_ring(plan.messages))
    ours = _medians([gateway_parts(run.cpu) for run in gateway])
    theirs = {
        kind: _medians([raw_parts(run.cpu, kind) for run in runs]) for kind, runs in raw.items()
    }
    return {
        "gateway_per_s": _rate(gateway),
        "raw_per_s": _rate(raw["raw"]),
        "ratio": _ratio(gateway, raw["raw"]),
        "lean_per_s": _rate(raw["lean"]),
        "ratio_to_lean": _ratio(gateway, raw["lean"]),
        "rounds": {
            "gateway_per_s": [round(run.per_s, 1) for run in gateway],
            **{
                f"{kind}_per_s": [round(run.per_s, 1) for run in runs] for kind, runs in raw.items()
            },
        },
        "cpu_ms_per_message": ours,
        **{f"{kind}_cpu_ms_per_message": parts for kind, parts in theirs.items()},
        # The ratio to trust where the machine has other work, which leaves a chain of processes
        # less of its time than as many that wait for nobody.
        "cpu_ratio": round(theirs["raw"]["all"] / ours["all"], 3),
        "cpu_ratio_to_lean": round(theirs["lean"]["all"] / ours["all"], 3),
        "sessions": plan.sessions,
    }


def _rate(runs: Sequence[RingRun]) -> float:
    return round(statistics.median(run.per_s for run in runs), 1)


def _ratio(ours: Sequence[RingRun], theirs: Sequence[RingRun]) -> float:
    """Compare pair by pair: what slows the machine for a while slows both of a pair."""
    pairs = zip(ours, theirs, strict=True)
    return round(statistics.median(our.per_s / their.per_s for our, their in pairs), 3)


def _medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return each part's median, and that of all parts together."""
    totals = [{**parts, "all": sum(parts.values())} for parts in rounds]
    return {part: round(statistics.median(one[part] for one in totals), 2) for part in totals[-1]}


async def measure_latency(
    harness: BenchHarness, plan: Plan, gateway_per_s: float
) -> dict[str, Any]:
    """Half of the throughput, evenly spread; what the gateway adds to the library's own time."""
    rate = gateway_per_s / 2
    commands = [
        harness.command(number % plan.sessions, f"message {number}")
        for number in range(int(rate * plan.latency_seconds))
    ]
    outcomes = Outcomes(harness.load, {command.id for command in commands})
    frames = harness.frames(commands)
    published: dict[str, float] = {}
    started = time.monotonic()
    for number, command in enumerate(commands):
        await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
        published[command.id] = time.monotonic()
        harness.load.publish(frames[number : number + 1])
    await outcomes.all(seconds=120)
    outcomes.check()
    await asyncio.sleep(LOG_SECONDS)
    steps = settled(harness, set(published))
    added = [
        (outcomes.at[command_id] - published[command_id] - step["library_seconds"]) * 1000
        for command_id, step in steps.items()
    ]
    return {
        "added_ms": _percentiles(added),
        "steps_ms": {
            name: _percentiles([step[f"{name}_seconds"] * 1000 for step in steps.values()])
            for name in ("queue", "inbox", "execute", "library", "commit")
        },
        "per_s": round(rate, 1),
        "commands": len(commands),
        "sessions": plan.sessions,
    }


async def measure_crash(harness: BenchHarness, plan: Plan) -> dict[str, Any]:
    """Kill one host with signal 9 under traffic: how long it is away, what others notice."""
    after = len(harness.backend.arrivals)
    commands = [
        harness.command(sender, f"message {number}")
        for number in range(CRASH_MESSAGES)
        for sender in range(plan.sessions)
    ]
    outcomes = Outcomes(harness.load, {command.id for command in commands})
    harness.load.publish(harness.frames(commands))
    killed = time.monotonic()
    harness.worker.hosts()[0].kill()
    down = await harness.next_status(SessionState.RECONNECTING, after=after)
    await harness.next_status(SessionState.CONNECTED, after=after, session_id=down.subject)
    back = time.monotonic() - killed
    await outcomes.all(seconds=120)
    statuses = harness.statuses(after=after)
    return {
        "back_seconds": round(back, 2),
        "others_failed": sum(failed != down.subject for failed in outcomes.failed.values()),
        "others_disturbed": sum(status.subject != down.subject for status in statuses),
        "commands": len(commands),
        "sessions": plan.sessions,
    }


def settled(harness: BenchHarness, ids: set[str]) -> dict[str, dict[str, float]]:
    """Read from the worker's log how long each step of each command took."""
    steps = {}
    with harness.worker.log_path.open() as log:
        for line in log:
            if '"command.settled"' in line:
                entry = json.loads(line)
                if entry["command_id"] in ids:
                    steps[entry["command_id"]] = entry
    if len(steps) != len(ids):
        raise RuntimeError(f"the worker's log has {len(steps)} of {len(ids)} commands")
    return steps


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2), "p99": round(cuts[98], 2)}
