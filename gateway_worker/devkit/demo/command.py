"""The command line of the demo, and its exit codes: 0 only if everything happened."""

import argparse
import asyncio
import logging
import shutil
from pathlib import Path

import structlog

from gateway_worker.devkit.demo.harness import DemoHarness, open_harness
from gateway_worker.devkit.demo.story import CUSTOMER, SHOP, Story, StoryError
from gateway_worker.devkit.demo.terminal import Terminal
from gateway_worker.devkit.gateway.instructions import described, instructions
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
        help="where the worker keeps its data and log (default: .data)",
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
        async with open_harness(directory / "demo", terminal.note) as ready:
            story = Story(harness=ready, terminal=terminal)
            await story.play(delete=not keep)
            _summarise(story, terminal)
            if keep:
                await _stay(ready, directory)
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


async def _stay(ready: DemoHarness, data: Path) -> None:
    """Leave everything up until a signal comes, and say how to talk to it."""
    phone, contact = "12025550102", CUSTOMER
    await ready.sandbox.add_phone(phone, push_name="Bakery")
    phones = {SHOP: f"Corner Shop, linked to the session {ready.name}", CUSTOMER: "Ada"}
    phones[phone] = "Bakery, to be linked"
    steps = instructions(data=data, session="bakery", phone=phone, contact=contact)
    stop = asyncio.Event()
    with ready.addresses.published(data), stop_on_signals(stop):
        for line in described(ready.addresses, phones, steps):
            print(line)
        print(f"\nThe worker's log: {ready.worker.log_path}")
        print("Everything stays up until Ctrl-C, and is forgotten then.", flush=True)
        await stop.wait()
