"""Starts workers as forks of one process that has imported them: a second of work less for each.

One such process for all tests of this process; it is made when the first worker is started.
"""

import atexit
import sys
from contextlib import ExitStack
from functools import cache

from gateway_worker.devkit.services.process import Command
from tests.support.forks import Forked, Forks, open_forks

PROGRAM = [sys.executable, "-m", "gateway_worker"]


def warm(command: Command) -> Forked:
    """Start a worker; see `gateway_worker.devkit.services.process.Spawn`."""
    assert command.account is None
    assert list(command.arguments[: len(PROGRAM)]) == PROGRAM
    with command.log_path.open("ab") as log:
        return _forks().start(
            command.arguments[len(PROGRAM) :],
            environment=command.environment,
            directory=command.directory,
            out=log.fileno(),
            err=log.fileno(),
        )


@cache
def _forks() -> Forks:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(open_forks("gateway_worker.cli.worker:import_worker"))
