"""A host's requests run one by one, and none is begun by a host that leaves."""

import subprocess
import sys

import pytest

SCENE = """
import threading, time
from queue import Queue
from gateway_worker.whatsapp.host.commands import Commands
from gateway_worker.whatsapp.ipc.frames import SendText, Sent

class Sender:
    sending, may_end = Queue(), threading.Event()
    def send(self, request):
        self.sending.put(request.to)
        self.may_end.wait()
        return Sent(
            request=request.request, message_id="3EB0", chat=request.to, timestamp=1, seconds=0.1,
            devices_left_out=0,
        )

def hear(frame):
    print(type(frame).__name__, frame.request, getattr(frame, "kind", ""))

sender = Sender()
commands = Commands(
    library=None,
    sender=sender,
    send=hear,
    unlinked=lambda: None,
    cut=lambda: None,
)

def ask(request):
    commands.send_text(SendText(request=request, to="12025550101@s.whatsapp.net", text="x"))

ask(1)
sender.sending.get()
ask(2)
{leave}
sender.may_end.set()
while not commands.is_idle: time.sleep(0.01)
print("begun:", 1 + sender.sending.qsize())
"""
"""In a process of its own, because it imports the library."""


@pytest.mark.parametrize(
    ("leave", "heard"),
    [
        ("commands.close(); ask(3)", ["Failed 2 not_begun", "Failed 3 not_begun", "Sent 1"]),
        ("commands.abandon()", ["Sent 1"]),
        ("", ["Sent 1", "Sent 2"]),
    ],
    ids=["leaves", "without a worker", "stays"],
)
def test_a_host_that_leaves_begins_nothing_more(leave: str, heard: list[str]) -> None:
    """What runs gets its answer; what waits and what comes is known not to have been sent."""
    code = SCENE.replace("{leave}", leave)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *told, begun = done.stdout.splitlines()
    assert [line.strip() for line in told] == heard
    assert begun == f"begun: {sum(line.startswith('Sent') for line in heard)}"
