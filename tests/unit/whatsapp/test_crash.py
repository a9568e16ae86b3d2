"""Why a host died, in a few words and without anything private."""

import signal
from pathlib import Path

import pytest

from gateway_worker.host_protocol.layout import ERRORS_NAME
from gateway_worker.whatsapp.crash import crash_reason

GO_CRASH = """Press Ctrl+C to exit
fatal error: concurrent map read and map write

goroutine 17 [running]:
"""
PYTHON_CRASH = """Traceback (most recent call last):
  File "x.py", line 1, in <module>
KeyError: '4915550001'
"""


@pytest.mark.parametrize(
    ("status", "output", "expected"),
    [
        (None, "", "its process is gone"),
        (0, GO_CRASH, "it left"),
        (-signal.SIGKILL, "", "killed by SIGKILL"),
        (
            -signal.SIGABRT,
            GO_CRASH,
            "killed by SIGABRT: fatal error: concurrent map read and map write",
        ),
        (70, PYTHON_CRASH, "exit code 70: KeyError"),
        (2, "nothing of use\n", "exit code 2"),
    ],
)
def test_reasons(tmp_path: Path, status: int | None, output: str, expected: str) -> None:
    """Of a host's status and its last words."""
    (tmp_path / ERRORS_NAME).write_text(output)

    assert crash_reason(tmp_path, status) == expected


def test_without_last_words(tmp_path: Path) -> None:
    """A host that died before it had an output."""
    assert crash_reason(tmp_path, -signal.SIGKILL) == "killed by SIGKILL"
