"""Where the time goes: CPU that each part of the harness has used, as Linux counts it."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

# What a part's process is called; what it starts is counted with it, unless that is named here too.
_PARTS = {
    "beam.smp": "broker",
    "postgres": "database",
    "valkey-server": "cache",
    "weed": "store",
    "wa-zygote": "fork_server",
    "wa-host": "hosts",
}
_GATEWAY = {*_PARTS.values(), "worker", "sandbox", "backend", "other"}
_RAW_HOST = "tests.bench.raw_host"


def cpu_seconds() -> dict[str, float]:
    """Return the CPU seconds of all parts so far, user and system together.

    The parts are children of this process, which is the backend. Services that run elsewhere, in
    containers or on another machine, are missing.
    """
    children: dict[int, list[psutil.Process]] = defaultdict(list)
    for process in psutil.process_iter(["ppid"]):  # once: looking for each one's children is slow
        children[process.info["ppid"]].append(process)
    used: dict[str, float] = defaultdict(float)
    used["backend"] = _own_seconds(psutil.Process())
    for child in children[os.getpid()]:
        for part, seconds in _of_tree(child, "other", children):
            used[part] += seconds
    return dict(used)


def per_message(
    before: Mapping[str, float], after: Mapping[str, float], count: int
) -> dict[str, float]:
    """Return the milliseconds of each part per message between two looks."""
    return {part: 1000 * (after[part] - before.get(part, 0.0)) / count for part in sorted(after)}


def gateway_parts(cpu: Mapping[str, float]) -> dict[str, float]:
    """Return what the gateway's way of a message takes: everything but the raw hosts."""
    return {part: used for part, used in cpu.items() if part in _GATEWAY}


def raw_parts(cpu: Mapping[str, float], kind: str) -> dict[str, float]:
    """Return what a message takes on raw hosts of a kind; the gateway is idle meanwhile."""
    return {"hosts": cpu[f"{kind}_hosts"], "sandbox": cpu["sandbox"], "backend": cpu["backend"]}


def _of_tree(
    process: psutil.Process, parents: str, children: Mapping[int, Sequence[psutil.Process]]
) -> Iterator[tuple[str, float]]:
    try:
        part = _part(process, parents)
        yield part, _own_seconds(process)
        for child in children.get(process.pid, ()):
            yield from _of_tree(child, part, children)
    except psutil.NoSuchProcess:
        return  # it has ended meanwhile: its parent's count of its children has it


def _part(process: psutil.Process, parents: str) -> str:
    line = process.cmdline()
    if _RAW_HOST in line:  # whose store is called by the kind of its host
        return f"{Path(line[line.index(_RAW_HOST) + 1]).name.partition('-')[0]}_hosts"
    if "gateway_worker" in line:
        return "sandbox" if "sandbox" in line else "worker"
    return _PARTS.get(process.name(), parents)


def _own_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    ended = 0.0 if process.pid == os.getpid() else times.children_user + times.children_system
    return float(times.user + times.system + ended)
