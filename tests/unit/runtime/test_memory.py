"""A process's share of memory."""

import os
import subprocess
import sys

from gateway_worker.runtime.memory import pss_bytes


def test_this_process() -> None:
    """Something between a bare interpreter and everything there is."""
    size = pss_bytes(os.getpid())

    assert size is not None
    assert 2**20 < size < 2**33


def test_shared_memory_is_divided() -> None:
    """Two processes that share 64 MiB count 32 each."""
    program = (
        "import os, mmap\n"
        "from gateway_worker.runtime.memory import pss_bytes\n"
        "before = pss_bytes(os.getpid())\n"
        "shared = mmap.mmap(-1, 64 << 20); shared.write(b'x' * (64 << 20))\n"
        "alone = pss_bytes(os.getpid())\n"
        "r, w = os.pipe()\n"
        "if not (child := os.fork()):\n"
        "    shared[::4096]; os.write(w, b'x'); os.read(r, 0); __import__('signal').pause()\n"
        "os.read(r, 1)\n"
        "together = pss_bytes(os.getpid())\n"
        "os.kill(child, 9)\n"
        "assert alone - before > 60 << 20, (before, alone)\n"
        "assert alone - together > 24 << 20, (alone, together)\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_process_that_is_gone() -> None:
    """It has none, which is not zero."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()

    assert pss_bytes(process.pid) is None
