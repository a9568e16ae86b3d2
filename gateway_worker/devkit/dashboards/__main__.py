"""Writes the dashboards, or tells whether they are as the code says (`--check`)."""

import argparse
import sys
from pathlib import Path

from gateway_worker.devkit.dashboards.grafana import BOARDS, rendered

DIRECTORY = Path("deploy/grafana/dashboards")


def main() -> int:
    """Write or compare the files below the current directory; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m gateway_worker.devkit.dashboards")
    parser.add_argument("--check", action="store_true", help="write nothing, 1 if files differ")
    is_check = parser.parse_args().check
    wanted = {DIRECTORY / f"{board.uid}.json": rendered(board) for board in BOARDS}
    there = set(DIRECTORY.glob("*.json"))
    stale = sorted(
        path for path, text in wanted.items() if path not in there or path.read_text() != text
    )
    surplus = sorted(there - wanted.keys())
    if is_check:
        for path in (*stale, *surplus):
            print(f"{path} is not as the code says: run python -m gateway_worker.devkit.dashboards")
        return 1 if stale or surplus else 0
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.write_text(wanted[path])
    for path in surplus:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
