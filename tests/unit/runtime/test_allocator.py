"""Large blocks are given back to the system, whatever was allocated before."""

import subprocess
import sys
from typing import Final

_PROGRAM: Final = """
import ctypes
import sys

from gateway_worker.runtime.allocator import settle_allocator

FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
MEBIBYTE = 1_048_576


class Figures(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS.split()]


def taken_from_the_system():
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = Figures
    return mallinfo().hblkhd


if "settle" in sys.argv:
    assert settle_allocator()
bytearray(16 * MEBIBYTE)  # which teaches the library to keep what is smaller
before = taken_from_the_system()
block = bytearray(4 * MEBIBYTE)
during = taken_from_the_system()
del block
print(during - before >= 4 * MEBIBYTE, taken_from_the_system() == before)
"""


def _run(*arguments: str) -> str:
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_a_large_block_is_the_systems() -> None:
    """Also after a larger one was freed; which it would not be otherwise."""
    assert _run("settle") == "True True\n"
    assert _run() == "False True\n"
