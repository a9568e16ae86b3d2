"""What a process can still do once it is confined, each in one of its own that it is done to."""

import subprocess
import sys
from pathlib import Path

CONFINED = """
import errno, os, signal, socket, sqlite3, subprocess, sys
from pathlib import Path
from gateway_worker.runtime.confinement import code_and_system, confine
own, other = Path(sys.argv[1]), Path(sys.argv[2])
confine(own, readable=code_and_system())

def refused(what):
    try:
        what()
    except OSError as error:
        return error.errno in (errno.EACCES, errno.EPERM, errno.EXDEV)
    return False

parent = f"/proc/{os.getppid()}"
assert refused((other / "store.db").read_bytes)
assert refused(lambda: list(other.iterdir()))
assert refused(lambda: (other / "new").write_text("x"))
assert refused(lambda: (other / "store.db").unlink())
assert refused(lambda: (own / "link").hardlink_to(other / "store.db")), "a way in by another name"
(own / "soft").symlink_to(other / "store.db")
assert refused((own / "soft").read_bytes)
assert refused(lambda: Path(parent, "environ").read_bytes())
assert refused(lambda: Path(parent, "mem").open("rb"))
assert refused(lambda: os.kill(os.getppid(), signal.SIGCONT))
assert refused(lambda: subprocess.run(["/bin/true"]))
assert refused(lambda: socket.create_server(("127.0.0.1", 0)))

(own / "a").mkdir()
(own / "b").write_text("x")
(own / "b").rename(own / "a" / "b")
with sqlite3.connect(own / "store.db") as database:
    database.execute("PRAGMA journal_mode=wal")
    database.execute("CREATE TABLE t (a)")
import wave  # the interpreter's own modules can still be read
Path("/dev/null").write_text("x")
assert os.listdir("/proc/self/fd")
with socket.socket() as client:
    assert client.connect_ex(("127.0.0.1", int(sys.argv[3]))) == 0
"""

PRIVATE = """
import os, sys
from pathlib import Path
from gateway_worker.runtime.confinement import drop_capabilities, keep_private
from gateway_worker.runtime.memory import may_look, pss_bytes

def looks(pid):
    if child := os.fork():
        return os.waitpid(child, 0)[1] == 0
    drop_capabilities()
    try:
        Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:
        os._exit(1)
    os._exit(0)

drop_capabilities()  # what is left is a user like any other
assert looks(os.getpid())
keep_private()
assert not looks(os.getpid())
assert pss_bytes(os.getpid()) > 0, "itself it may still look at"
if child := os.fork():
    assert os.waitpid(child, 0)[1] == 0
else:
    drop_capabilities()
    os._exit(0 if not may_look(os.getppid()) and may_look(os.getpid()) else 1)
import resource
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
"""


def test_a_confined_process_has_its_directory_and_no_other(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    """Neither by a link nor through another process; all that a host needs still works."""
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "store.db").write_bytes(b"keys")
    listener = f"import socket; s=socket.create_server(('127.0.0.1',{unused_tcp_port})); "
    with subprocess.Popen(
        [sys.executable, "-c", listener + "print('up', flush=True); s.accept()"],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "up\n"
        arguments = [str(tmp_path / "own"), str(tmp_path / "other"), str(unused_tcp_port)]
        subprocess.run([sys.executable, "-c", CONFINED, *arguments], check=True)


def test_a_private_process_is_not_looked_into() -> None:
    """By another one of the same user, which root is without its capabilities."""
    subprocess.run([sys.executable, "-c", PRIVATE], check=True)
