"""The command line of the demo, and its exit codes: 0 only if everything happened."""

import argparse
import asyncio
import contextlib
import logging
import shutil
from pathlib import Path

import structlog

from gateway_worker.devkit.demo.stage import Stage, stage
from gateway_worker.devkit.demo.story import Story, StoryError
from gateway_worker.devkit.demo.terminal import Terminal
from gateway_worker.devkit.services import ServicesError
from gateway_worker.runtime.signals import stop_on_signals


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the demo's options."""
    parser.add_argument(
        "--keep", action="store_true", help="leave everything running until Ctrl-C, session linked"
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(".data"),
        help="where services and worker keep their data (default: .data)",
    )


def main(arguments: argparse.Namespace) -> int:
    """Play the demo; returns the exit code."""
    return asyncio.run(_play(keep=arguments.keep, directory=arguments.data_dir.resolve()))


async def _play(*, keep: bool, directory: Path) -> int:
    terminal = Terminal()
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet)  # the sandbox runs in here, and this is a show
    shutil.rmtree(directory / "demo", ignore_errors=True)
    terminal.step("Services, sandbox and worker, all on this machine")
    try:
        async with stage(directory, terminal.note) as ready:
            story = Story(stage=ready, terminal=terminal)
            await story.play(delete=not keep)
            _summarise(story, terminal)
            if keep:
                await _stay(ready, terminal)
    except (StoryError, TimeoutError, ServicesError) as failed:
        terminal.failure(str(failed))
        terminal.note(f"the worker's log: {directory / 'demo'}")
        return 1
    return 0


def _summarise(story: Story, terminal: Terminal) -> None:
    rows = [(timing.step, f"{timing.milliseconds:,.0f} ms") for timing in story.timings]
    rows.append(("memory that the first session adds", f"{story.memory_mib:.1f} MiB"))
    rows.append(("connections that tried to leave this machine", "0"))
    terminal.table("What happened", rows)
    terminal.success("Everything happened, through the real broker, stores and library.")


async def _stay(ready: Stage, terminal: Terminal) -> None:
    services = ready.services
    terminal.step("Everything stays up until Ctrl-C. How to talk to it:")
    for line in (
        f"RabbitMQ    {services.amqp_url}",
        "            commands: exchange wa.commands, routing key = session id",
        f"            events:   exchange wa.events, routing key *.*.{ready.name}",
        f"PostgreSQL  {services.database_url}",
        f"Redis       {services.redis_url}",
        f"sandbox     {ready.sandbox.proxy_url}",
        f"worker log  {ready.worker.log_path}",
    ):
        terminal.note(line)
    stop = asyncio.Event()
    with contextlib.ExitStack() as stack:
        stack.enter_context(stop_on_signals(stop))
        await stop.wait()
