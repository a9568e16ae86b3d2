"""One child process of a service: started under the guard, watched until ready, ended for sure."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from gateway_worker.devkit.services import guard
from gateway_worker.devkit.services.errors import ServiceControlError, ServiceStartError

Probe = Callable[[], Awaitable[bool]]

PROBE_INTERVAL_SECONDS = 0.03
KILL_TIMEOUT_SECONDS = 10.0
LOG_LINES_IN_ERRORS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The user that a process runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How to start one process; `environment` is the whole of it, nothing is inherited."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    log_path: Path
    account: Account | None = None


class Process(Protocol):
    """A child process, as `subprocess.Popen` shows it."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def returncode(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None until that was asked for."""

    def poll(self) -> int | None:
        """Return the `returncode`, None while the process exists."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; `subprocess.TimeoutExpired` after so many seconds."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""


Spawn = Callable[[Command], Process]
"""Starts a process that ends with this one; its output goes to the end of the log file."""


def base_environment() -> dict[str, str]:
    """Return the few variables that programs need to find each other and to print text."""
    path = os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    return {"PATH": path, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def guarded(arguments: Sequence[str], account: Account | None) -> list[str]:
    """Return the command line that runs `arguments` under the guard as a child of this process."""
    uid, gid = (account.uid, account.gid) if account else (-1, -1)
    # -I and -S: nothing of the environment or of site-packages may reach, or slow down, the guard
    python = [sys.executable, "-I", "-S", guard.__file__]
    return [*python, str(os.getpid()), str(uid), str(gid), *arguments]


def spawned(command: Command) -> Process:
    """Start a program of its own, under the guard.

    From a thread that lives as long as the child should (the main thread): Linux sends the
    parent-death signal when the *thread* that forked ends.
    """
    with command.log_path.open("ab") as log:
        return subprocess.Popen(
            guarded(command.arguments, command.account),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(command.environment),
            cwd=command.directory,
            start_new_session=True,  # Ctrl-C on the terminal is ours to handle, not theirs
        )


class Child:
    """A process that never outlives this one."""

    def __init__(self, *, name: str, command: Command, spawn: Spawn = spawned) -> None:
        self._name = name
        self._command = command
        self._spawn = spawn
        self._process: Process | None = None
        self._paused = False

    @property
    def is_running(self) -> bool:
        """Whether the process exists (it may be paused)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id, or None before `spawn`."""
        return None if self._process is None else self._process.pid

    def spawn(self) -> None:
        """Start the process; its output goes to the log file."""
        self._command.log_path.parent.mkdir(parents=True, exist_ok=True)
        self._process = self._spawn(self._command)
        self._paused = False

    async def ready(self, probe: Probe, *, timeout_seconds: float) -> None:
        """Wait until `probe` says yes; ServiceStartError when the process ends or time runs out."""
        deadline = time.monotonic() + timeout_seconds
        while not await probe():
            if not self.is_running:
                code = None if self._process is None else self._process.returncode
                raise ServiceStartError(self._report(f"ended with code {code} before it was ready"))
            if time.monotonic() > deadline:
                raise ServiceStartError(
                    self._report(f"was not ready after {timeout_seconds:.0f} s")
                )
            await asyncio.sleep(PROBE_INTERVAL_SECONDS)

    async def stop(self, *, with_signal: signal.Signals, timeout_seconds: float) -> None:
        """Ask the process to end and wait for it; after the timeout it is killed."""
        if not self.is_running:
            return
        if self._paused:
            self.resume()
        self._send(with_signal)
        if not await self._gone(timeout_seconds):
            await self.kill()

    async def leave(self, *, with_signal: signal.Signals, timeout_seconds: float) -> int | None:
        """Ask the process to end and return its exit code; None if it has not ended in time."""
        assert self._process is not None
        self._send(with_signal)
        return self._process.returncode if await self._gone(timeout_seconds) else None

    async def kill(self) -> None:
        """End the process and its descendants with signal 9 and wait until they are gone."""
        if self._process is None or not self.is_running:
            return
        family = self._family()
        for member in family:
            _signal(member, signal.SIGKILL)
        await self._gone(KILL_TIMEOUT_SECONDS)
        await asyncio.to_thread(_wait_until_gone, family[1:])

    def pause(self) -> None:
        """Freeze the process and its descendants: a server's workers are processes too."""
        self._require_running("pause")
        for member in self._family():
            _signal(member, signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """Let them run again."""
        self._require_running("resume")
        for member in self._family():
            _signal(member, signal.SIGCONT)
        self._paused = False

    async def _gone(self, timeout_seconds: float) -> bool:
        assert self._process is not None
        try:
            await asyncio.to_thread(self._process.wait, timeout_seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _family(self) -> list[psutil.Process]:
        assert self._process is not None
        try:
            head = psutil.Process(self._process.pid)
            return [head, *head.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _send(self, which: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(which)

    def _require_running(self, operation: str) -> None:
        if not self.is_running:
            raise ServiceControlError(f"{self._name}: cannot {operation}, it does not run")

    def _report(self, what: str) -> str:
        tail = _tail(self._command.log_path)
        return f"{self._name} {what}; its last output ({self._command.log_path}):\n{tail}"


def _signal(process: psutil.Process, which: signal.Signals) -> None:
    try:
        process.send_signal(which)
    except psutil.NoSuchProcess:
        return


def is_alive(process: psutil.Process) -> bool:
    """Tell whether it still runs; a zombie that its new parent has yet to collect does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait_until_gone(family: Sequence[psutil.Process]) -> None:
    """Wait for processes that are not our children; there is no event for their end."""
    while any(is_alive(member) for member in family):
        time.sleep(PROBE_INTERVAL_SECONDS)


def _tail(path: Path) -> str:
    if path.is_fifo():
        return "(in a pipe)"
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return "(none)"
    return "\n".join(f"  {line}" for line in lines[-LOG_LINES_IN_ERRORS:]) or "(none)"


async def run_once(command: Command, *, what: str, timeout_seconds: float) -> None:
    """Run a short program to its end; ServiceStartError with its output when it fails."""
    child = Child(name=what, command=command)
    child.spawn()
    process = child._process  # noqa: SLF001 - same module, one concept
    assert process is not None
    try:
        code = await asyncio.to_thread(process.wait, timeout_seconds)
    except subprocess.TimeoutExpired:
        await child.kill()
        raise ServiceStartError(child._report("did not finish")) from None  # noqa: SLF001
    if code != 0:
        raise ServiceStartError(child._report(f"ended with code {code}"))  # noqa: SLF001
