"""What is changed in the library's Go runtime, in processes that may load it."""

import os
import subprocess
import sys

FIND = """
import ctypes
from pathlib import Path
from gateway_worker.whatsapp.host.go_runtime import COPIES, GoLayout, GoRuntime, NotThereError
from gateway_worker.whatsapp.host.preload import preload

deferred = preload()
deferred.record()
deferred.load()
"""
ROOM = """
import threading

runtime = deferred.runtime()
memory, goal = runtime._limits.memory, runtime._limits.goal
assert memory.value == 48 << 20, memory.value
first = goal.value
stop = threading.Event()

def call() -> None:
    version = deferred.resolve("GetVersion")
    while not stop.is_set():
        version()

threads = [threading.Thread(target=call) for _ in range(4)]
for thread in threads:
    thread.start()
for _ in range(200):
    with runtime.room(100 << 20):
        assert memory.value == (48 << 20) + COPIES * (100 << 20)
    assert memory.value == 48 << 20
    assert goal.value < 48 << 20, goal.value
stop.set()
for thread in threads:
    thread.join()
"""
REFUSED = """
try:
    {attempt}
except NotThereError:
    pass
else:
    raise AssertionError("it was found")
"""


def run(program: str, **environment: str) -> None:
    """Run a program with limits as hosts have them; raises if it fails."""
    limits = {"GOGC": "60", "GOMEMLIMIT": "48MiB", "GOMAXPROCS": "1"}
    subprocess.run(
        [sys.executable, "-c", FIND + program],
        check=True,
        timeout=120,
        env={**os.environ, **limits, **environment},
    )


def test_go_has_room_for_a_while() -> None:
    """Its limits are others in the block and as before behind it, whoever calls it meanwhile."""
    run(ROOM)


def test_limits_that_hosts_do_not_have() -> None:
    """Nothing is changed where it is not known what is."""
    find = "GoRuntime.find(deferred._layout, enter=deferred.resolve('crosscall2'))"
    run(REFUSED.format(attempt=find), GOMEMLIMIT="off")


def test_another_file_is_not_taken_for_it() -> None:
    """One that is not written in Go."""
    run(REFUSED.format(attempt="GoLayout.read(Path('/bin/sh'))"))
