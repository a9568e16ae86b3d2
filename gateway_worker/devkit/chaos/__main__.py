"""`./dev chaos`; see `--help`."""

import asyncio
import json
import sys
import time
from pathlib import Path

from gateway_worker.devkit.chaos.directory import keep_libraries_quiet, run_directory
from gateway_worker.devkit.chaos.options import Options, read_options
from gateway_worker.devkit.chaos.plan import Injection, draw_plan
from gateway_worker.devkit.chaos.report import as_json, table
from gateway_worker.devkit.chaos.run import play
from gateway_worker.devkit.services import ServicesError

EXIT_BROKEN = 1
EXIT_NOT_RUN = 2


def main(arguments: list[str] | None = None) -> int:
    """Run it; returns 0 if every promise was kept, 1 if not, 2 if it could not be tried."""
    options = read_options(arguments)
    try:
        plan = draw_plan(options.plan)
    except ValueError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return EXIT_NOT_RUN
    if options.only_plan:
        for injection in plan:
            print(injection)
        return 0
    with run_directory(options.logs) as directory:
        keep_libraries_quiet(directory)
        return _run(options, plan, directory)


def _run(options: Options, plan: tuple[Injection, ...], directory: Path) -> int:
    began = time.monotonic()

    def announce(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {line}", file=sys.stderr, flush=True)

    announce(f"seed {options.plan.seed}: {len(plan)} faults planned")
    try:
        verdict, _ = asyncio.run(play(options, plan, directory, announce))
    except (ServicesError, TimeoutError) as error:
        print(f"chaos: {str(error) or 'it took too long'}", file=sys.stderr)
        return EXIT_NOT_RUN
    result = as_json(verdict, options)
    for path in (options.json_path, directory / "result.json"):
        if path is not None:
            path.write_text(json.dumps(result, indent=2) + "\n")
    for line in table(result):
        print(line)
    return 0 if verdict.passed else EXIT_BROKEN


if __name__ == "__main__":
    sys.exit(main())
