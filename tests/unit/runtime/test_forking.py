"""What a fork server asks of Linux, each in a process of its own that it may be done to."""

import subprocess
import sys

REAP = """
import os
from pathlib import Path
from gateway_worker.runtime.forking.kernel import reap_children
for _ in range(3):
    if os.fork() == 0:
        os._exit(0)
reap_children()
assert Path(f"/proc/self/task/{os.getpid()}/children").read_text() == ""
reap_children()
"""

ORPHAN = """
import os
from gateway_worker.runtime.forking.kernel import die_with_parent
die_with_parent(1 if os.getppid() != 1 else 2)
print("lived on")
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in another process."""
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)


def test_children_are_reaped() -> None:
    """All there are, and none is no error."""
    assert run(REAP).stderr == ""


def test_a_process_whose_parent_is_gone_already_ends() -> None:
    """The kernel tells only of deaths to come."""
    process = run(ORPHAN)

    assert (process.returncode, process.stdout) == (1, "")
