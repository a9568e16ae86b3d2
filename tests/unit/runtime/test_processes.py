"""What the process itself may have, and how it ends when nothing else ends it."""

import errno
import os
import socket
import ssl
import subprocess
import sys

import pytest

from gateway_worker.runtime.descriptors import DescriptorLimit, needed_for
from gateway_worker.runtime.os_errors import described, explain, is_of_this_machine

DEADLINE = """
import sys, threading, time
from gateway_worker.runtime.deadline import ExitDeadline
deadline = ExitDeadline(code=3, last_words=lambda: print("last words", flush=True))
print("begun", flush=True)
deadline.set(0.05)
deadline.set(1000)
stuck = threading.Lock(); stuck.acquire(); stuck.acquire()
"""
LIMIT = """
import resource
from gateway_worker.runtime.descriptors import raise_descriptor_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 321))
limit = raise_descriptor_limit()
print(limit.before, limit.now, *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_a_deadline_ends_a_process_that_is_stuck() -> None:
    """Whatever its main thread does; the first deadline counts."""
    ended = subprocess.run(
        [sys.executable, "-c", DEADLINE], check=False, stdout=subprocess.PIPE, text=True
    )
    assert ended.returncode == 3
    assert ended.stdout.split("\n")[:2] == ["begun", "last words"]


def test_the_limit_of_descriptors_is_raised_to_the_hard_one() -> None:
    """What the process was started with is known too."""
    ended = subprocess.run(
        [sys.executable, "-c", LIMIT], check=True, stdout=subprocess.PIPE, text=True
    )
    assert ended.stdout.split() == ["100", "321", "321", "321"]


def test_a_limit_suffices_for_so_many_sessions() -> None:
    """Each takes some."""
    limit = DescriptorLimit(before=100, now=needed_for(50))
    assert limit.suffices_for(50)
    assert not limit.suffices_for(51)


@pytest.mark.parametrize(
    ("error", "text", "is_here"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "no file descriptor left", True),
        (PermissionError(errno.EACCES, "denied", "/data"), "/data: permission denied", True),
        (FileNotFoundError(errno.ENOENT, "gone", "ca.pem"), "ca.pem: there is no such file", True),
        (OSError(errno.ENOSPC, "full"), "the disk is full", True),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "nothing listens there", False),
        (ConnectionResetError(), "the connection was closed", False),
        (TimeoutError(), "no answer in time", False),
        (socket.gaierror(-2, "Name or service not known"), "cannot be resolved", False),
        (ssl.SSLError(1, "wrong version"), "TLS fails", False),
        (OSError(errno.ENETUNREACH, "unreachable"), "no way to the network", False),
    ],
)
def test_an_error_of_the_system_is_told_as_what_it_is(
    error: OSError, text: str, *, is_here: bool
) -> None:
    """Not every one of them means that a service cannot be reached."""
    assert text in explain(error)
    assert is_of_this_machine(error) is is_here


def test_an_unknown_error_is_told_in_the_systems_words() -> None:
    """Better than nothing."""
    assert explain(OSError(errno.EXDEV, os.strerror(errno.EXDEV))) == os.strerror(errno.EXDEV)


def test_the_cause_of_an_error_of_a_library_is_told_without_its_words() -> None:
    """They may quote what was being sent; what the system said of it does not."""
    secret = RuntimeError("SET key 12025550100")
    assert described(secret) == "RuntimeError"
    secret.__context__ = ValueError("12025550100")
    secret.__context__.__cause__ = OSError(errno.EMFILE, "Too many open files")
    assert described(secret).startswith("RuntimeError, this process has no file descriptor left")
    assert described(TimeoutError()) == "TimeoutError, no answer in time"
