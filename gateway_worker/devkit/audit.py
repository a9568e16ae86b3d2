"""Known vulnerabilities of all that is locked (`./dev audit`).

pip-audit asks the package index about every pin of every lock. That needs the network, and the
answer changes by itself, so this is no part of `./dev check`. A pin about which the index, or a
mirror of it, has nothing to say fails it as well. What is known and does not matter here is named
below, with the reason.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway_worker.devkit.environments import ToolError, ensure_environment

CHECKOUT: Final = Path(__file__).parents[2]
_ENVIRONMENT: Final = CHECKOUT / ".data/audit"
_LOCKS: Final = CHECKOUT / "requirements"
_LOCK: Final = _LOCKS / "audit.txt"

ACCEPTED: Final[Mapping[str, str]] = {}
"""Ids of vulnerabilities (PYSEC, GHSA or CVE), each with why it does not matter here."""


def command(lock: Path) -> list[str]:
    """Return the command that audits one lock: its pins, without resolving or installing them."""
    accepted = [word for name in sorted(ACCEPTED) for word in ("--ignore-vuln", name)]
    options = ["--strict", "--disable-pip", "--require-hashes", "--progress-spinner=off", *accepted]
    return [str(_ENVIRONMENT / "bin/pip-audit"), *options, "--requirement", str(lock)]


def locks() -> list[Path]:
    """Return all locks."""
    return sorted(_LOCKS.glob("*.txt"))


def main() -> int:
    """Audit every lock; returns 1 if something is vulnerable, or cannot be told."""
    argparse.ArgumentParser(prog="./dev audit", description=__doc__).parse_args()
    _ENVIRONMENT.parent.mkdir(exist_ok=True)
    ensure_environment(_ENVIRONMENT, _LOCK)
    failed = []
    for lock in locks():
        print(f"{lock.name}:", flush=True)
        if subprocess.run(command(lock), check=False).returncode != 0:
            failed.append(lock.name)
    if failed:
        print(f"dev: not all is well in {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ToolError as error:
        print(f"dev: {error}", file=sys.stderr)
        sys.exit(2)
