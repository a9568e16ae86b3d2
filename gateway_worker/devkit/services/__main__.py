"""The command line behind `./dev services` and `./dev run`; see `--help`."""

import argparse
import asyncio
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway_worker.devkit.services import state, supervisor
from gateway_worker.devkit.services.errors import ServicesError
from gateway_worker.devkit.services.launcher import LaunchOptions, local_services
from gateway_worker.devkit.services.process import guarded

UP_TIMEOUT_SECONDS = 180.0
DOWN_TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 0.1
LOG_NAME = "supervisor.log"

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; return its exit code."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except ServicesError as error:
        print(f"services: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev services", description="RabbitMQ, PostgreSQL, Redis and S3 for development."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, run, text in (
        ("up", _up, "start them in the background and print how to reach them"),
        ("down", _down, "stop what `up` started; the data stays"),
        ("status", _status, "tell what runs"),
        ("env", _env, 'print variables for a shell: eval "$(./dev services env)"'),
        ("serve", _serve, "start them in the foreground, until Ctrl-C"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--data", type=Path, default=Path(".data"), metavar="DIRECTORY")
        command.set_defaults(run=run)
    execute = commands.add_parser(
        "exec", help="run a program with services and with the variables that name them"
    )
    execute.add_argument("--data", type=Path, default=Path(".data"), metavar="DIRECTORY")
    execute.add_argument("program", nargs=argparse.REMAINDER)
    execute.set_defaults(run=_exec)
    lease = commands.add_parser(
        "lease", help="serve throw-away services to whoever holds a connection to its socket"
    )
    lease.add_argument("directory", type=Path, help="for the socket; removed in the end")
    lease.add_argument("--prefix", default="", help="put before the names of the URL variables")
    lease.add_argument("--keep", action="store_true", help="leave the data on disk")
    lease.set_defaults(run=_lease)
    return parser


def _up(options: argparse.Namespace) -> int:
    data: Path = options.data.resolve()
    if state.published(data) is None:
        if state.is_in_use(data):
            raise ServicesError(f"another process runs services in {data}; stop it first")
        _start_supervisor(data)
    return _status(options)


def _start_supervisor(data: Path) -> None:
    """Start it detached from this terminal and wait until its services are ready."""
    data.mkdir(parents=True, exist_ok=True)
    log_path = data / LOG_NAME
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", __package__, "serve", "--data", str(data)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + UP_TIMEOUT_SECONDS
    while state.published(data) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            raise ServicesError(f"they did not start:\n{log_path.read_text(errors='replace')}")
        time.sleep(POLL_SECONDS)
    print(log_path.read_text(errors="replace"), end="", file=sys.stderr)


def _down(options: argparse.Namespace) -> int:
    data: Path = options.data.resolve()
    found = state.published(data)
    if found is None:
        if state.is_in_use(data):
            raise ServicesError(f"a process that is no supervisor uses {data}; end it yourself")
        print("services: nothing runs")
        return 0
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_TIMEOUT_SECONDS
    while state.is_in_use(data):
        if time.monotonic() > deadline:
            raise ServicesError(f"process {found.pid} has not stopped")
        time.sleep(POLL_SECONDS)
    print("services: stopped")
    return 0


def _status(options: argparse.Namespace) -> int:
    found = state.published(options.data.resolve())
    if found is None or found.services is None:
        print("services: nothing runs")
        return 1
    print(f"services: run under process {found.pid}")
    services = found.services
    for name, url in (
        ("rabbitmq", services.amqp_url),
        ("postgres", services.database_url),
        ("redis", services.redis_url),
        ("s3", services.s3.endpoint_url),
    ):
        print(f"  {name:<9} {found.sources[name]:<9} {url}")
    return 0


def _env(options: argparse.Namespace) -> int:
    found = state.published(options.data.resolve())
    if found is None or found.services is None:
        raise ServicesError("nothing runs; start them with `./dev services up`")
    for name, value in found.services.environment().items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    launch = LaunchOptions(data_directory=options.data.resolve())
    return _until_stopped(lambda stop: supervisor.keep_running(launch, stop=stop))


def _lease(options: argparse.Namespace) -> int:
    launch = LaunchOptions(variable_prefix=options.prefix, keep=options.keep)
    return _until_stopped(
        lambda stop: supervisor.serve_leases(launch, directory=options.directory, stop=stop)
    )


def _exec(options: argparse.Namespace) -> int:
    program = options.program[1:] if options.program[:1] == ["--"] else options.program
    if not program:
        raise ServicesError("exec needs a program to run")
    launch = LaunchOptions(data_directory=options.data.resolve())
    return asyncio.run(_run_program(program, launch))


async def _run_program(program: list[str], launch: LaunchOptions) -> int:
    """Run the program with services; pass our stop signals on to it; return its exit code."""
    async with local_services(launch) as services:
        process = subprocess.Popen(  # noqa: ASYNC220 - a fork and an exec, nothing to wait for
            guarded(program, None), env=os.environ | services.addresses.environment()
        )
        loop = asyncio.get_running_loop()
        for which in STOP_SIGNALS:
            loop.add_signal_handler(which, process.send_signal, which)
        return await asyncio.to_thread(process.wait)


def _until_stopped(run: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    async def body() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for which in STOP_SIGNALS:
            loop.add_signal_handler(which, stop.set)
        await run(stop)

    asyncio.run(body())
    return 0


if __name__ == "__main__":
    sys.exit(main())
