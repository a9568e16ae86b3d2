"""The words of `gateway-worker ctl`."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from gateway_worker.config import Settings, load_settings
from gateway_worker.ctl import backends, dead, disk, fleet, snapshots
from gateway_worker.log import configure_logging
from gateway_worker.log.settings import LogLevel

Action = Callable[[Settings, argparse.Namespace], Coroutine[Any, Any, int]]
"""Does one thing; returns the exit code. Raises `GatewayError`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the groups of words."""
    parser.epilog = (
        "Exit codes: 0 done; 1 it failed, or not all that was named is there; 2 wrong arguments or "
        "configuration."
    )
    groups = parser.add_subparsers(required=True, metavar="GROUP")
    backends.add_arguments(groups)
    dead.add_arguments(groups)
    fleet.add_arguments(groups)
    snapshots.add_arguments(groups)
    disk.add_arguments(groups)


def main(arguments: argparse.Namespace) -> int:
    """Do what the words say; returns the exit code."""
    if (check := getattr(arguments, "check", None)) is not None:
        check(arguments)
    settings = load_settings()
    # The answer alone is on stdout, and a worker's log file is not for this.
    quiet = settings.log.model_copy(update={"level": LogLevel.WARNING, "file": None})
    configure_logging(quiet, stream=sys.stderr)
    action: Action = arguments.action
    return asyncio.run(action(settings, arguments))
