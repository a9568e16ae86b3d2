"""A kernel's timer that ends a process, each in processes of their own that it may be done to."""

import subprocess
import sys
from signal import SIGKILL

PATIENCE_SECONDS = 60
STOPPED = """
import os, signal
from gateway_worker.runtime.forking.kernel import die_with_parent
from gateway_worker.runtime.forking.kill_timer import KillTimer
from gateway_worker.runtime.lease_clock import lease_time
timer = KillTimer()
parent = os.getpid()
child = os.fork()
if child == 0:
    die_with_parent(parent)
    os.kill(os.getpid(), signal.SIGSTOP)
    print("lived on", flush=True)
    os._exit(0)
os.waitpid(child, os.WUNTRACED)
timer.set(lease_time() + 0.2)
os.kill(parent, signal.SIGSTOP)
print("lived on", flush=True)
"""
OVER = """
import signal
from gateway_worker.runtime.forking.kill_timer import KillTimer
KillTimer().set({at})
signal.pause()
"""
PUT_OFF = """
import math
from gateway_worker.runtime.forking.kill_timer import KillTimer
from gateway_worker.runtime.lease_clock import lease_time
timer = KillTimer()
for at in (math.inf, lease_time() + 3600, math.inf):
    timer.set(at)
print("lives")
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in another process; returns when nobody can write any more."""
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def test_a_process_that_is_stopped_ends_with_what_it_has_forked() -> None:
    """Nobody continues either: only the end of both lets go of their output."""
    process = run(STOPPED)

    assert (process.returncode, process.stdout, process.stderr) == (-SIGKILL, "", "")


def test_a_moment_that_is_over_is_now() -> None:
    """Also one from before the machine was started."""
    for at in ("0", "-1e6"):
        process = run(OVER.format(at=at))
        assert (process.returncode, process.stderr) == (-SIGKILL, "")


def test_one_that_is_put_off_kills_nothing() -> None:
    """Nor does one that was taken back."""
    process = run(PUT_OFF)

    assert (process.returncode, process.stdout, process.stderr) == (0, "lives\n", "")
