"""Where the time goes: CPU that each part of the rig has used, as Linux counts it."""

import os
from collections import defaultdict
from collections.abc import Iterator

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
_RAW_HOST = "tests.bench.raw_host"


def cpu_seconds() -> dict[str, float]:
    """Return the CPU seconds of all parts so far, user and system together.

    The parts are children of this process, which is the backend. Services that run elsewhere, in
    containers or on another machine, are missing.
    """
    used: dict[str, float] = defaultdict(float)
    used["backend"] = _own_seconds(psutil.Process())
    for child in psutil.Process().children():
        for part, seconds in _of_tree(child, _part(child, "other")):
            used[part] += seconds
    return dict(used)


def per_message(before: dict[str, float], after: dict[str, float], count: int) -> dict[str, float]:
    """Return the milliseconds of each part per message between two looks; raw hosts left out."""
    return {
        part: round(1000 * (after[part] - before.get(part, 0.0)) / count, 2)
        for part in sorted(after)
        if part != "raw_hosts"
    }


def _of_tree(process: psutil.Process, part: str) -> Iterator[tuple[str, float]]:
    try:
        yield part, _own_seconds(process)
        for child in process.children():
            yield from _of_tree(child, _part(child, part))
    except psutil.NoSuchProcess:
        return  # it has ended meanwhile: its parent's count of its children has it


def _part(process: psutil.Process, parents: str) -> str:
    try:
        name, line = process.name(), process.cmdline()
    except psutil.NoSuchProcess:
        return parents
    if _RAW_HOST in line:
        return "raw_hosts"
    if "gateway_worker" in line:
        return "sandbox" if "sandbox" in line else "worker"
    return _PARTS.get(name, parents)


def _own_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    ended = 0.0 if process.pid == os.getpid() else times.children_user + times.children_system
    return float(times.user + times.system + ended)
