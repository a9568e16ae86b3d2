"""The four measures. Each leaves the rig as it found it, so they can follow one another."""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from gateway_contracts import CommandFailed, SessionState
from tests.bench.cpu import cpu_seconds, per_message
from tests.bench.raw import run_ring, start_ring
from tests.bench.rig import Outcomes, Rig, create_sessions, link_sessions

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


async def measure_links(rig: Rig, plan: Plan) -> dict[str, Any]:
    """Create and link the sessions; memory before anyone scans is that of a loaded library."""
    created = await create_sessions(rig, plan.sessions)
    await asyncio.sleep(SETTLE_SECONDS)
    loaded = rig.pss_mib() / plan.sessions
    await link_sessions(rig, created)
    return {"loaded": round(loaded, 2)}


async def measure_resume(rig: Rig, plan: Plan) -> dict[str, Any]:
    """Restart the worker; from its start to the last session's connection."""
    await rig.worker.stop()
    after = len(rig.backend.arrivals)
    started = time.monotonic()
    await rig.worker.start(wait_ready=False)
    await rig.wait_connected(after)
    return {"seconds": round(time.monotonic() - started, 2), "sessions": plan.sessions}


async def measure_memory(rig: Rig, plan: Plan, loaded: dict[str, Any]) -> dict[str, Any]:
    """Memory of resumed sessions, and after 70 messages each way."""
    await asyncio.sleep(SETTLE_SECONDS)
    idle = rig.pss_mib() / plan.sessions
    await rig.send_ring(70)
    await asyncio.sleep(SETTLE_SECONDS)
    return {
        "pss_mib_per_session": {
            **loaded,
            "idle": round(idle, 2),
            "after_traffic": round(rig.pss_mib() / plan.sessions, 2),
        },
        "worker_rss_mib": round(rig.worker_rss_mib(), 1),
        "sessions": plan.sessions,
    }


async def measure_throughput(rig: Rig, plan: Plan) -> dict[str, Any]:
    """The ring through the gateway and on raw hosts, in turn, within one run."""
    raw_rates: list[float] = []
    gateway_rates: list[float] = []
    cpu: list[dict[str, float]] = []
    async with AsyncExitStack() as stack:
        numbers = [f"1303555{index:04d}" for index in range(plan.sessions)]
        for number in numbers:
            await rig.sandbox.client.add_phone(number)
        hosts = await start_ring(
            stack, numbers=numbers, directory=rig.directory, sandbox=rig.sandbox
        )
        await run_ring(hosts, WARM_UP)
        await rig.send_ring(WARM_UP)
        for _ in range(plan.rounds):
            raw_rates.append(await run_ring(hosts, plan.messages))
            before = cpu_seconds()
            gateway_rates.append(await rig.send_ring(plan.messages))
            cpu.append(per_message(before, cpu_seconds(), plan.messages * plan.sessions))
    # Pair by pair: what slows the machine for a while slows both of a pair.
    ratios = [ours / theirs for ours, theirs in zip(gateway_rates, raw_rates, strict=True)]
    raw, gateway = statistics.median(raw_rates), statistics.median(gateway_rates)
    return {
        "gateway_per_s": round(gateway, 1),
        "raw_per_s": round(raw, 1),
        "ratio": round(statistics.median(ratios), 3),
        "rounds": {
            "gateway_per_s": [round(rate, 1) for rate in gateway_rates],
            "raw_per_s": [round(rate, 1) for rate in raw_rates],
            "ratio": [round(ratio, 3) for ratio in ratios],
        },
        "cpu_ms_per_message": {
            part: round(statistics.median(round_[part] for round_ in cpu), 2) for part in cpu[-1]
        },
        "sessions": plan.sessions,
    }


async def measure_latency(rig: Rig, plan: Plan, gateway_per_s: float) -> dict[str, Any]:
    """Half of the throughput, evenly spread; what the gateway adds to the library's own time."""
    rate = gateway_per_s / 2
    commands = [
        rig.command(number % plan.sessions, f"message {number}")
        for number in range(int(rate * plan.latency_seconds))
    ]
    outcomes = Outcomes(rig.backend, {command.id for command in commands})
    published: dict[str, float] = {}
    started = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number, command in enumerate(commands):
            await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
            published[command.id] = time.monotonic()
            tasks.create_task(rig.backend.publish(command))
    await outcomes.all(seconds=120)
    await asyncio.sleep(LOG_SECONDS)
    steps = _settled(rig, set(published))
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


async def measure_crash(rig: Rig, plan: Plan) -> dict[str, Any]:
    """Kill one host with signal 9 under traffic: how long it is away, what others notice."""
    after = len(rig.backend.arrivals)
    commands = [
        rig.command(sender, f"message {number}")
        for number in range(CRASH_MESSAGES)
        for sender in range(plan.sessions)
    ]
    async with asyncio.TaskGroup() as tasks:
        for command in commands:
            tasks.create_task(rig.backend.publish(command))
    killed = time.monotonic()
    rig.worker.hosts()[0].kill()
    down = await rig.next_status(SessionState.RECONNECTING, after=after)
    await rig.next_status(SessionState.CONNECTED, after=after, session_id=down.subject)
    back = time.monotonic() - killed
    outcomes = [await rig.backend.outcome(command.id, seconds=120) for command in commands]
    statuses = rig.statuses(after=after)
    return {
        "back_seconds": round(back, 2),
        "others_failed": sum(
            isinstance(outcome, CommandFailed) and outcome.subject != down.subject
            for outcome in outcomes
        ),
        "others_disturbed": sum(status.subject != down.subject for status in statuses),
        "commands": len(commands),
        "sessions": plan.sessions,
    }


def _settled(rig: Rig, ids: set[str]) -> dict[str, dict[str, float]]:
    """Read from the worker's log how long each step of each command took."""
    steps = {}
    with rig.worker.log_path.open() as log:
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
