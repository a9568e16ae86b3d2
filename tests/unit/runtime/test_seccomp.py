"""What a host is refused by its filter, in a process of its own that gets it."""

import subprocess
import sys

from tests.support.refused_calls import PROBE, REFUSED, STILL_TAKEN, TAKEN_OF_HOSTS

HOST = f"""
{PROBE}
import asyncio, signal, socket, sys, threading
from gateway_worker.runtime.seccomp.install import refuse
from gateway_worker.runtime.seccomp.profiles import HOST

refuse(HOST)
assert of({REFUSED}, True) == [], of({REFUSED}, True)
assert of({STILL_TAKEN + TAKEN_OF_HOSTS}, False) == []

told = []
signal.signal(signal.SIGUSR1, lambda *_: told.append("signal"))
signal.raise_signal(signal.SIGUSR1)
thread = threading.Thread(target=told.append, args=("thread",))
thread.start()
thread.join()
assert sorted(told) == ["signal", "thread"]
assert socket.getaddrinfo("localhost", 80)
asyncio.run(asyncio.sleep(0))
with socket.socket() as client:
    assert client.connect_ex(("127.0.0.1", int(sys.argv[1]))) == 0
"""


def test_a_host_acts_on_no_other_process_and_still_has_what_it_needs() -> None:
    """Threads, signals to itself, names and connections."""
    listener = "import socket; s=socket.create_server(('127.0.0.1',0)); "
    with subprocess.Popen(
        [sys.executable, "-c", listener + "print(s.getsockname()[1], flush=True); s.accept()"],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        subprocess.run([sys.executable, "-c", HOST, port], check=True)
