"""Runs `gateway-worker …` in forks of a process that has imported all that is needed for it.

To import a worker, or a command, takes a second of processor time, and the tests start hundreds of
them. What follows is the same: `main` with words, an environment, a directory, a session and output
of its own. The way from a shell to the same `main`, with an interpreter of its own, is that of
`tests/integration/test_readme.py`, of `demo`, of chaos, and of the tests that ask for it.
"""

import asyncio
import ctypes
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Final, NoReturn

from gateway_worker.cli import main
from gateway_worker.devkit.services.guard import PR_SET_PDEATHSIG
from gateway_worker.devkit.services.process import base_environment

LONGEST_REQUEST: Final = 65_536
LONGEST_ANSWER: Final = 64
EXIT_SECONDS: Final = 10


class Forked:
    """A process that runs `gateway-worker`, as `subprocess.Popen` would show it.

    Args:
        answers: Whoever waits for the process tells its end here; owned by this object.
        pid: Its process id.

    Attributes:
        returncode: Its exit code, or minus the signal that ended it; None until `poll` or `wait`
            has learnt of it.
    """

    def __init__(self, answers: int, *, pid: int) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self._close = weakref.finalize(self, os.close, answers)
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, None while it exists."""
        with self._lock:
            if self.returncode is None and self._has_answer(0):
                told = os.read(self._answers, LONGEST_ANSWER)
                self.returncode = int(told) if told else -signal.SIGKILL  # with whoever waited
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; `subprocess.TimeoutExpired` after so many seconds."""
        if self.returncode is None:
            self._has_answer(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired("gateway-worker", timeout or 0)
        return code

    async def ended(self) -> int:
        """Wait for its end on the running loop; returns its exit code."""
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._answers, told.set)
        try:
            await told.wait()
        finally:
            loop.remove_reader(self._answers)
        return self.wait()

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def _has_answer(self, seconds: float | None) -> bool:
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))


class Forks:
    """Asks for processes; made by `open_forks`."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control

    def start(
        self,
        words: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        out: int,
        err: int,
    ) -> Forked:
        """Start `gateway-worker WORDS` with this environment and no other; it ends with this one.

        Args:
            words: Behind the program's name.
            environment: The whole of it.
            directory: Where the process is.
            out: The descriptor of its output; still the caller's.
            err: Likewise, for its errors.
        """
        request = json.dumps([dict(environment), str(directory), list(words)]).encode()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            with theirs:
                socket.send_fds(self._control, [request], [theirs.fileno(), out, err])
            pid = ours.recv(LONGEST_ANSWER)
            assert pid, "the process that forks is gone"
            return Forked(ours.detach(), pid=int(pid))


@contextmanager
def open_forks(*entries: str, options: Sequence[str] = ()) -> Iterator[Forks]:
    """Start the process that forks; it ends with this one, and what it has forked with it.

    Args:
        entries: The modules to import, or `module:function` to call.
        options: Of the interpreter.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with (
        ours,
        subprocess.Popen(
            [sys.executable, *options, "-m", __name__, str(theirs.fileno()), *entries],
            cwd=Path(__file__).parents[2],
            env=base_environment(),
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        ) as process,
    ):
        theirs.close()
        try:
            yield Forks(ours)
        finally:
            ours.close()
            process.wait(EXIT_SECONDS)


def serve(control: socket.socket) -> None:
    """Fork for each request, until whoever asks is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    here = os.getpid()
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, LONGEST_REQUEST, 3)
        if not request:
            return
        if os.fork() == 0:
            control.close()
            _die_with(here)
            _supervise(request, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _supervise(request: bytes, answers: int, out: int, err: int) -> NoReturn:
    """Tell how a process begins and ends; it may end itself."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    here = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(answers)
        _die_with(here)
        environment, directory, words = json.loads(request)
        _become(environment, directory, words, out, err)
    os.close(out)
    os.close(err)
    os.write(answers, str(child).encode())
    _, status = os.waitpid(child, 0)
    os.write(answers, str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _die_with(parent: int) -> None:
    """End when a process ends, which started this one; at once if it has already."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _become(
    environment: dict[str, str], directory: str, words: list[str], out: int, err: int
) -> NoReturn:
    """Run `gateway-worker` and end the process as the interpreter would."""
    os.setsid()
    for descriptor, standard in ((out, 1), (err, 2)):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
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


def prepare(entry: str) -> None:
    """Import a module, and call the function that is named with it."""
    name, _, function = entry.partition(":")
    module = import_module(name)
    if function:
        getattr(module, function)()


if __name__ == "__main__":
    for named in sys.argv[2:]:
        prepare(named)
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as from_tests:
        serve(from_tests)
