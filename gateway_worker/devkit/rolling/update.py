"""Replaces the workers one after the other, each by one of another release."""

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway_worker.devkit.chaos.fleet import ManagedWorker
from gateway_worker.devkit.chaos.harness import ChaosHarness
from gateway_worker.devkit.services.process import Command, base_environment, run_once

Announce = Callable[[str], None]

LEAVE_SECONDS: Final = 120.0
READY_SECONDS: Final = 120.0
_MIGRATE_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.2
THIS: Final = Path(sys.executable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """One worker that has left, and the one of the same name that has come.

    Attributes:
        exit_code: Of the one that has left; None if it had to be killed.
        left_seconds: How long that took.
        ready_seconds: How long the other one took until it was ready.
    """

    worker: str
    exit_code: int | None
    left_seconds: float
    ready_seconds: float

    def __str__(self) -> str:
        how = f"left with {self.exit_code}" if self.exit_code is not None else "had to be killed"
        return (
            f"{self.worker} {how} after {self.left_seconds:.1f} s,"
            f" its successor was ready after {self.ready_seconds:.1f} s"
        )


async def migrate(harness: ChaosHarness, directory: Path) -> float:
    """Bring the schema up to this release while workers of the other one run; returns seconds.

    Raises:
        ServiceStartError: It has failed; the message has its last output.
    """
    began = time.monotonic()
    command = Command(
        arguments=[str(THIS), "-m", "gateway_worker", "migrate"],
        environment=base_environment() | harness.services.addresses.environment(),
        directory=directory,
        log_path=directory / "migrate.log",
    )
    await run_once(command, what="migrate", timeout_seconds=_MIGRATE_SECONDS)
    return time.monotonic() - began


async def replace_all(
    harness: ChaosHarness, python: Path, *, pause_seconds: float, announce: Announce
) -> list[Replacement]:
    """Replace every worker, and let the fleet be between two of them.

    Raises:
        TimeoutError: A successor did not become ready.
    """
    replaced = []
    for member in harness.fleet.workers:
        await asyncio.sleep(pause_seconds)
        replaced.append(await _replace(member, python))
        announce(str(replaced[-1]))
    await asyncio.sleep(pause_seconds)
    return replaced


async def _replace(member: ManagedWorker, python: Path) -> Replacement:
    """Have a worker drain and leave, then start the other code in its place."""
    began = time.monotonic()
    member.unwant()
    code = await member.process.leave(seconds=LEAVE_SECONDS)
    if code is None:
        await member.kill()
    left = time.monotonic()
    member.process.python = python
    member.want()
    async with asyncio.timeout(READY_SECONDS):
        while not await member.process.is_ready():  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(_LOOK_SECONDS)
    return Replacement(
        worker=member.name,
        exit_code=code,
        left_seconds=round(left - began, 2),
        ready_seconds=round(time.monotonic() - left, 2),
    )
