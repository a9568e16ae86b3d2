"""`./dev rolling`; see `--help`."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway_worker.devkit.chaos.audit import Verdict
from gateway_worker.devkit.chaos.directory import keep_libraries_quiet, run_directory
from gateway_worker.devkit.chaos.harness import ChaosHarness, open_harness
from gateway_worker.devkit.chaos.options import Options
from gateway_worker.devkit.chaos.plan import PlanOptions
from gateway_worker.devkit.chaos.report import as_json, table
from gateway_worker.devkit.chaos.run import judged
from gateway_worker.devkit.chaos.traffic import Traffic
from gateway_worker.devkit.environments import ToolError
from gateway_worker.devkit.rolling.previous import Release, earlier_release
from gateway_worker.devkit.rolling.update import THIS, Replacement, migrate, replace_all
from gateway_worker.devkit.services import ServicesError

EXIT_BROKEN = 1
EXIT_NOT_RUN = 2
LEASE_SECONDS = 15.0
"""The worker's default."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns 0 if every promise was kept, 1 if not, 2 if it could not be tried."""
    found = _parser().parse_args(arguments)
    began = time.monotonic()

    def announce(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {line}", file=sys.stderr, flush=True)

    options = Options(
        plan=PlanOptions(
            seed=found.seed,
            seconds=0,
            workers=found.workers,
            sessions=found.sessions,
            lease_seconds=LEASE_SECONDS,
        ),
        rate=found.rate,
        settle_seconds=found.settle,
    )
    try:
        with run_directory(found.keep_logs) as directory:
            keep_libraries_quiet(directory)
            release = earlier_release(found.earlier)
            announce(f"from {release.name} ({release.commit[:12]}) to this checkout")
            rolling = _Rolling(
                options=options, release=release, pause_seconds=found.pause, announce=announce
            )
            verdict = asyncio.run(rolling.run(directory, and_back=found.back))
            result = rolling.result(verdict)
    except (ServicesError, ToolError, TimeoutError) as error:
        print(f"rolling: {str(error) or 'it took too long'}", file=sys.stderr)
        return EXIT_NOT_RUN
    if found.json is not None:
        found.json.write_text(json.dumps(result, indent=2) + "\n")
    for line in table(result):
        print(line)
    for trouble in result["troubles"]:
        print(f"FAILED: {trouble}")
    return 0 if result["passed"] else EXIT_BROKEN


class _Rolling:
    """One run."""

    def __init__(
        self,
        *,
        options: Options,
        release: Release,
        pause_seconds: float,
        announce: Callable[[str], None],
    ) -> None:
        self._options = options
        self._release = release
        self._pause_seconds = pause_seconds
        self._announce = announce
        self._migrated_seconds = 0.0
        self._replaced: list[Replacement] = []
        self._surprises: list[str] = []

    async def run(self, directory: Path, *, and_back: bool) -> Verdict:
        """Go from the release to this code (and back) and judge what came of it."""

        async def disturb(harness: ChaosHarness, _traffic: Traffic) -> None:
            self._migrated_seconds = await migrate(harness, directory)
            self._announce(f"the schema is this release's, after {self._migrated_seconds:.1f} s")
            for python in (THIS, self._release.python) if and_back else (THIS,):
                self._replaced += await replace_all(
                    harness, python, pause_seconds=self._pause_seconds, announce=self._announce
                )

        async with open_harness(
            self._options, directory, self._announce, python=self._release.python
        ) as harness:
            verdict, _ = await judged(self._options, harness, disturb, self._announce)
            self._surprises = harness.journal.surprises
        return verdict

    def result(self, verdict: Verdict) -> dict[str, Any]:
        """Return the result as plain values; what should not have been is in `troubles`."""
        troubles = [str(one) for one in self._replaced if one.exit_code != 0] + self._surprises
        return {
            **as_json(verdict, self._options),
            "passed": verdict.passed and not troubles,
            "from": {"name": self._release.name, "commit": self._release.commit},
            "migrated_seconds": round(self._migrated_seconds, 2),
            "replaced": [asdict(one) for one in self._replaced],
            "troubles": troubles,
        }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev rolling",
        description="Updates a fleet under traffic, from an earlier release to this checkout: the"
        " schema first, then one worker after the other. Exits with 1 if a message was lost or"
        " doubled, a session needed a new QR code, or a worker did not leave in good order.",
    )
    add = parser.add_argument
    add(
        "--from",
        dest="earlier",
        metavar="REF",
        help="a tag or commit (default: the newest tag v… before this commit)",
    )
    add("--back", action="store_true", help="then back to the earlier release, on the new schema")
    add("--workers", type=int, default=3, metavar="W", help="default: 3")
    add("--sessions", type=int, default=30, metavar="N", help="default: 30")
    add(
        "--rate",
        type=float,
        default=0.2,
        metavar="R",
        help="messages per second and session, each way (default: 0.2)",
    )
    add("--pause", type=float, default=10, metavar="SECONDS", help="between two (default: 10)")
    add("--settle", type=float, default=180, metavar="SECONDS", help="for the end (default: 180)")
    add("--seed", type=int, default=1, metavar="S", help="of the traffic (default: 1)")
    add("--json", type=Path, metavar="FILE", help="write the result there")
    add("--keep-logs", type=Path, metavar="DIR", help="leave logs and events there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
