"""Signals: the first stops in order, the second at once. Real signals to real processes."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from gateway_worker.runtime.signals import stop_on_signals

CHILD = """
import asyncio, sys, time
from gateway_worker.runtime.signals import stop_on_signals

async def main():
    stop = asyncio.Event()
    with stop_on_signals(stop):
        print("ready", flush=True)
        await stop.wait()
        print("stopping", flush=True)
        if sys.argv[2] == "busy":
            while True:
                time.sleep(0.01)  # a loop that is stuck
        elif sys.argv[2] == "idle":
            await asyncio.Event().wait()
    print("left", flush=True)

if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


def start(loop: str, then: str) -> "subprocess.Popen[str]":
    """Start a process that waits for a signal; it has printed `ready` on return."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, loop, then], stdout=subprocess.PIPE, text=True
    )
    wait_for(child, "ready")
    return child


def wait_for(child: "subprocess.Popen[str]", line: str) -> None:
    """Read the child's output up to a line."""
    assert child.stdout is not None
    for got in child.stdout:
        if got.strip() == line:
            return
    pytest.fail(f"the process ended without {line!r}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_signal_stops_in_order(loop: str, number: signal.Signals) -> None:
    """One SIGTERM or SIGINT lets the block leave normally."""
    with start(loop, "leave") as child:
        child.send_signal(number)
        wait_for(child, "left")

        assert child.wait(10) == 0


@pytest.mark.parametrize("then", ["busy", "idle"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_second_signal_ends_the_process(loop: str, then: str) -> None:
    """Whether its loop is stuck or waits for something that never comes."""
    with start(loop, then) as child:
        child.send_signal(signal.SIGTERM)
        wait_for(child, "stopping")
        child.send_signal(signal.SIGINT)

        assert child.wait(10) == 128 + signal.SIGINT


async def test_the_handlers_before_are_put_back() -> None:
    """Leaving the block restores what was installed before, also after a signal."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stop = asyncio.Event()

    with stop_on_signals(stop):
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()

    after = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    assert after == before
