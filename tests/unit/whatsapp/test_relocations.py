"""What hosts share of the native library, in processes that may load it."""

import subprocess
import sys

import pytest

RECORD = """
import os
from pathlib import Path
from gateway_worker.whatsapp.host import relocations
from gateway_worker.whatsapp.host.preload import preload

deferred = preload()
"""
LOAD = """
deferred.record()
if os.fork() == 0:
    status = 1
    try:
        {before}
        deferred.load()
        assert deferred.resolve("GetVersion") is not None
        shared = [
            line for line in Path("/proc/self/maps").read_text().splitlines()
            if "memfd:relocations" in line and "r--p" in line
        ]
        assert len(shared) == {shared}, shared
        status = 0
    finally:
        os._exit(status)
raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def run(program: str) -> None:
    """Run a program; raises if it fails."""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_host_maps_what_was_recorded() -> None:
    """Instead of the pages that the dynamic linker has just written for it alone."""
    run(RECORD + LOAD.format(before="pass", shared=1))


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("deferred._relocations._reserved = 0", id="address"),
        pytest.param(
            "constants_of = relocations.constants_of;"
            "relocations.constants_of = lambda path: (constants_of(path)[0], 0)",
            id="size",
        ),
    ],
)
def test_a_library_that_is_loaded_otherwise_keeps_its_own(before: str) -> None:
    """What was recorded is true for one address only."""
    run(RECORD + LOAD.format(before=before, shared=0))


def test_what_differs_is_not_shared() -> None:
    """One byte is enough."""
    damage = "descriptor = os.memfd_create('x');"
    damage += "old = deferred._relocations._descriptor;"
    damage += "os.sendfile(descriptor, old, 0, os.fstat(old).st_size);"
    damage += "os.pwrite(descriptor, bytes([os.pread(old, 1, 99)[0] ^ 1]), 99);"
    damage += "os.dup2(descriptor, old)"
    run(RECORD + LOAD.format(before=damage, shared=0))
