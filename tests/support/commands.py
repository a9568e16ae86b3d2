"""Runs `gateway-worker …` in forks of one process, which has imported all that commands need.

A command takes a second of processor time to import what it uses and some milliseconds to do its
work, and the tests run a hundred of them. The way from a shell to the same `main`, with an
interpreter of its own, is that of `tests/integration/test_readme.py`.
"""

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

from gateway_worker.cli import main
from gateway_worker.devkit.services.process import base_environment

IMPORTED: Final = (
    "gateway_worker.checking",
    "gateway_worker.cli.app",
    *(
        f"gateway_worker.ctl.{name}"
        for name in (
            *("asking", "backends", "bulks", "dead", "disk", "draining", "fleet", "following"),
            *("linking", "operating", "sending", "snapshots", "watching"),
        )
    ),
    *("rich.console", "rich.progress"),
)
LONGEST_REQUEST: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed for programs."""
        return json.loads(self.out)


Ctl = Callable[..., Awaitable[Answer]]
"""Runs `gateway-worker ctl WORDS`; settings by keyword."""


class Commands:
    """Runs commands; several at once, if need be. Made by `open_commands`."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control

    async def run(self, environment: Mapping[str, str], directory: Path, *words: str) -> Answer:
        """Run `gateway-worker WORDS` with this environment and no other, and wait for its end."""
        request = json.dumps([dict(environment), str(directory), words]).encode()
        ours, theirs = socket.socketpair()
        with ours, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            with theirs:
                descriptors = [one.fileno() for one in (theirs, out, err)]
                socket.send_fds(self._control, [request], descriptors)
            ours.settimeout(0)
            code = await asyncio.get_running_loop().sock_recv(ours, LONGEST_REQUEST)
            assert code, "the process that runs commands is gone"
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read().decode())
        return Answer(code=int(code), out=said[0], err=said[1])


@contextmanager
def open_commands() -> Iterator[Commands]:
    """Start the process; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    arguments = [sys.executable, "-W", "error", "-m", __name__, str(theirs.fileno())]
    with (
        ours,
        subprocess.Popen(
            arguments,
            cwd=Path(__file__).parents[2],
            env=base_environment(),
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        ) as process,
    ):
        theirs.close()
        try:
            yield Commands(ours)
        finally:
            ours.close()
            process.wait(10)


def serve(control: socket.socket) -> None:
    """Fork for each request, until whoever asks is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, LONGEST_REQUEST, 3)
        if not request:
            return
        if os.fork() == 0:
            control.close()
            _supervise(request, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _supervise(request: bytes, reply: int, out: int, err: int) -> NoReturn:
    """Tell how a command ends; it may end its process itself."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        environment, directory, words = json.loads(request)
        os.close(reply)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(directory)
        _end(words)
    _, status = os.waitpid(child, 0)
    os.write(reply, str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _end(words: Sequence[str]) -> NoReturn:
    """Run a command and end the process as the interpreter would."""
    try:
        code = main(words)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - it is told, and ends the process
        traceback.print_exc()
        code = 1
    gc.collect()  # what was not closed complains now
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    for name in IMPORTED:
        import_module(name)
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as from_tests:
        serve(from_tests)
