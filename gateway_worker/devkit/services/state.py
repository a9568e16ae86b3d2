"""Who uses a data directory, and what runs in it: a lock for truth, a file for details.

The lock belongs to a process and vanishes with it, so it alone decides whether the services run;
the file may be older than its writer's death.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from gateway_worker.devkit.services.errors import ServicesError
from gateway_worker.devkit.services.values import Services
from gateway_worker.devkit.services.workspace import write_private

LOCK = "services.lock"
STATE = "services.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a supervisor says about itself.

    Attributes:
        pid: The process that owns the services, and that SIGTERM asks to stop.
        sources: Source of each service, by name.
        services: Addresses; None while they are being started.
    """

    pid: int
    sources: dict[str, str]
    services: Services | None


class DataInUseError(ServicesError):
    """Another process runs services in this directory."""


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Hold the directory for this process; DataInUseError when somebody else does."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK).open("a+") as lock:
        if not _take(lock):
            owner = _text(directory / LOCK).strip() or "unknown"
            raise DataInUseError(
                f"process {owner} runs services in {directory}. Stop it first, or start them once "
                "for all with `./dev services up`."
            )
        withdraw(directory)  # what an owner that was killed left behind
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _take(lock: IO[str]) -> bool:
    """Lock the file; somebody may be looking at it just now, so try more than once."""
    for pause_seconds in (0.05, 0.05, 0.1, 0.0):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause_seconds)
        else:
            return True
    return False


def is_in_use(directory: Path) -> bool:
    """Tell whether a live process holds the directory."""
    try:
        with (directory / LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def publish(directory: Path, state: State) -> None:
    """Write the state for others to read."""
    value: dict[str, Any] = {
        "pid": state.pid,
        "sources": state.sources,
        "services": state.services.to_json() if state.services else None,
    }
    write_private(directory / STATE, json.dumps(value, indent=2) + "\n")


def withdraw(directory: Path) -> None:
    """Remove the state; the services are about to end."""
    (directory / STATE).unlink(missing_ok=True)


def published(directory: Path) -> State | None:
    """Return the state of a live supervisor, None when there is none."""
    if not is_in_use(directory):
        return None
    try:
        value = json.loads((directory / STATE).read_text())
        services = value["services"]
        found = State(
            pid=int(value["pid"]),
            sources=dict(value["sources"]),
            services=Services.from_json(services) if services else None,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if _text(directory / LOCK).strip() == str(found.pid) else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
