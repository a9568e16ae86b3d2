"""`./dev run --sandbox`: a whole gateway with phones, until Ctrl-C."""

import argparse
import asyncio
import logging
import secrets
import shutil
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from gateway_worker.devkit.gateway.addresses import Addresses
from gateway_worker.devkit.gateway.instructions import described, instructions
from gateway_worker.devkit.gateway.running import local_gateway
from gateway_worker.devkit.services import LaunchOptions, ServicesError
from gateway_worker.runtime.signals import stop_on_signals
from gateway_worker.sandbox.cli import stop_when_stdin_ends

SESSION: Final = "shop"
PHONES: Final = {"12025550100": "Corner Shop", "12025550101": "Ada"}
_TOKEN_BYTES: Final = 24


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal comes; return 1 if something did not start."""
    options = _parser().parse_args(arguments)
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    logs = structlog.PrintLoggerFactory(sys.stderr)
    structlog.configure(wrapper_class=quiet, logger_factory=logs)
    try:
        asyncio.run(_run(options))
    except ServicesError as error:
        print(f"run: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(options: argparse.Namespace) -> None:
    data: Path = options.data.resolve()
    directory = data / "sandbox"
    shutil.rmtree(directory, ignore_errors=True)  # its accounts went with the last run's phones
    token = secrets.token_urlsafe(_TOKEN_BYTES) if options.for_tests else None
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        stack.enter_context(stop_on_signals(stop))
        gateway = await stack.enter_async_context(
            local_gateway(LaunchOptions(), worker_id="local", directory=directory, token=token)
        )
        for number, name in {} if options.for_tests else PHONES.items():
            await gateway.sandbox.add_phone(number, push_name=name)
        await gateway.worker.start()
        addresses = replace(gateway.addresses, control_token=token)
        if options.for_tests:
            stack.callback(stop_when_stdin_ends(stop))
            print(addresses.to_json(), flush=True)
        else:
            stack.enter_context(addresses.published(data))
            _tell(addresses, data, gateway.worker.log_path)
        await stop.wait()


def _tell(addresses: Addresses, data: Path, log: Path) -> None:
    phone, contact = PHONES
    steps = instructions(data=data, session=SESSION, phone=phone, contact=contact)
    for line in [*described(addresses, PHONES, steps), "", f"The worker's log: {log}"]:
        print(line)
    print("Everything stays up until Ctrl-C, and is forgotten then.", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev run --sandbox",
        description="RabbitMQ, PostgreSQL, Redis, S3, a worker and simulated phones, all on this"
        " machine and for this run only. Prints where they are and lines to paste.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(".data"),
        metavar="DIRECTORY",
        help="for the worker's data and log (default: .data)",
    )
    parser.add_argument("--for-tests", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
