"""What a host asks of Linux, each in a process of its own that it may be done to."""

import subprocess
import sys
from pathlib import Path

from gateway_worker.whatsapp.crash import crash_reason
from gateway_worker.whatsapp.host.kernel import ERRORS_LIMIT_BYTES

CUT = """
import socket
from gateway_worker.whatsapp.host.kernel import cut_connections
local, other = socket.socketpair()
with socket.create_server(("127.0.0.1", 0)) as listener:
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
server.settimeout(5)
client.settimeout(5)
assert cut_connections() == 2
assert server.recv(1) == client.recv(1) == b""
local.sendall(b"x")
assert other.recv(1) == b"x"
assert cut_connections() == 2, "they are still open, only of no use"
client.close()
server.close()
assert cut_connections() == 0
"""

HELD = """
import os, socket
from gateway_worker.whatsapp.host.kernel import hold_back_output, reset_connections
with socket.create_server(("127.0.0.1", 0)) as listener:
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
if os.fork() == 0:  # the other side, whose connection is its own
    client.close()
    assert server.recv(1) == b"a"
    server.sendall(b"b")
    try:
        assert server.recv(1) == b"", "what was held back never comes"
    except ConnectionResetError:
        pass
    os._exit(0)
server.close()
client.sendall(b"a")
hold_back_output()
client.sendall(b"c")
assert client.recv(1) == b"b", "what comes in does"
reset_connections()
_, status = os.wait()
assert status == 0
"""

LOCKED = """
import fcntl, socket, subprocess, sys
from gateway_worker.whatsapp.host.kernel import cut_connections
file = open(sys.argv[1], "w+b")
fcntl.lockf(file, fcntl.LOCK_SH, 1, 100)
with socket.create_server(("127.0.0.1", 0)):
    assert cut_connections() == 1
other = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
errors = subprocess.run([sys.executable, "-c", other, sys.argv[1]], capture_output=True).stderr
assert b"BlockingIOError" in errors, errors
"""

COARSE = """
import ctypes, threading
from gateway_worker.whatsapp.host.kernel import coarsen_timers
slack_nanoseconds = lambda: ctypes.CDLL(None).prctl(30, 0, 0, 0, 0)
before = threading.Thread(target=lambda: (changed.wait(), seen.append(slack_nanoseconds())))
changed, seen = threading.Event(), []
usual = slack_nanoseconds()
before.start()
coarsen_timers(0.0005)
changed.set()
before.join()
after = threading.Thread(target=lambda: seen.append(slack_nanoseconds()))
after.start()
after.join()
assert seen == [usual, 500_000], (usual, seen)
"""

SILENT = """
import os, sys
from pathlib import Path
from gateway_worker.whatsapp.host.kernel import silence_output
errors = Path(sys.argv[1])
silence_output(errors)
os.write(1, b"to nowhere")
os.write(2, b"kept")
assert os.read(0, 10) == b""
"""

NOISY = """
import os, sys
from pathlib import Path
from gateway_worker.whatsapp.host.kernel import bound_errors, silence_output
silence_output(Path(sys.argv[1]))
for _ in range(1000):
    os.write(2, b"x" * 1023 + b"\\n")
    bound_errors()
os.write(2, b"fatal error: at last")
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in another process."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], check=False, capture_output=True, text=True
    )


def test_internet_connections_are_cut_and_no_others() -> None:
    """Both ends see the end; what goes over a local socket goes on."""
    assert run(CUT).stderr == ""


def test_what_is_held_back_is_gone_with_the_connection() -> None:
    """Unless the machine takes longer for it than the kernel holds anything back."""
    assert any(run(HELD).stderr == "" for _ in range(10))


def test_locks_on_files_are_kept_when_connections_are_cut(tmp_path: Path) -> None:
    """Without them, who copies a device store would remove its write-ahead log."""
    assert run(LOCKED, str(tmp_path / "file")).stderr == ""


def test_timers_are_coarse_in_threads_that_start_later() -> None:
    """So it is done before the library is loaded."""
    assert run(COARSE).stderr == ""


def test_what_is_printed_goes_nowhere_and_errors_are_kept(tmp_path: Path) -> None:
    """Of this run only, readable by the owner only."""
    errors = tmp_path / "host.err"
    errors.write_text("of the run before")

    process = run(SILENT, str(errors))

    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    assert errors.read_text() == "kept"


def test_a_file_of_errors_is_private(tmp_path: Path) -> None:
    """A crash may name people."""
    errors = tmp_path / "host.err"

    run(SILENT, str(errors))

    assert errors.stat().st_mode & 0o077 == 0


def test_a_file_of_errors_does_not_grow_for_ever(tmp_path: Path) -> None:
    """What is said last stays, and is found."""
    errors = tmp_path / "host.err"

    assert run(NOISY, str(errors)).returncode == 0

    assert errors.stat().st_size <= ERRORS_LIMIT_BYTES + 1024
    assert b"\0" not in errors.read_bytes()
    assert crash_reason(tmp_path, 2) == "exit code 2: fatal error: at last"


def test_an_output_that_is_no_file_is_left_alone() -> None:
    """As of a process that somebody started by hand."""
    process = run("from gateway_worker.whatsapp.host.kernel import bound_errors; bound_errors(-1)")

    assert (process.returncode, process.stderr) == (0, "")
