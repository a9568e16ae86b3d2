"""Does what an operator wants, straight at the services, with the worker's own settings."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import typer

from gateway_worker.config import Settings, load_settings
from gateway_worker.log import configure_logging
from gateway_worker.log.settings import LogLevel

Action = Callable[[Settings], Coroutine[Any, Any, int]]
"""Does one thing; returns the exit code. Raises `GatewayError`."""


def operate(action: Action) -> NoReturn:
    """Do it and end the program."""
    settings = load_settings()
    # The answer alone is on stdout, and a worker's log file is not for this.
    quiet = settings.log.model_copy(update={"level": LogLevel.WARNING, "file": None})
    configure_logging(quiet, stream=sys.stderr)
    raise typer.Exit(asyncio.run(action(settings)))
