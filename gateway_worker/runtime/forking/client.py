"""The worker's end of a fork server: starts it, has it fork, and learns when processes are gone."""

import asyncio
import errno
import os
import socket
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final, Self

import msgspec
import structlog

from gateway_worker.errors import DependencyError
from gateway_worker.host_protocol.envelope import Measure, Measured
from gateway_worker.host_protocol.forking import (
    Fork,
    Forked,
    FromForkServer,
    Lease,
    NotForked,
    Ready,
    Reaped,
)
from gateway_worker.host_protocol.framing import FrameDecoder, WireError, encode
from gateway_worker.runtime.os_errors import explain

log = structlog.get_logger(__name__)

MAX_PACKET_BYTES: Final = 4096
_DECODER: Final[msgspec.json.Decoder[FromForkServer]] = msgspec.json.Decoder(FromForkServer)
EXIT_SECONDS: Final = 2.0
FORKS_AT_ONCE: Final = 4
"""So many requests are with the fork server at a time; the others wait here, where time does not
count against them and a stop finds them."""
_KEPT_LINES: Final = 5
_READ_BYTES: Final = 4096

_Status = asyncio.Future[int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A fork server's program, and how it is run.

    Attributes:
        name: What it forks, in the plural; for errors and the log.
        words: What the interpreter is given: `-m` and a module that calls `server.serve`.
        environment: All that it gets of an environment.
        start_seconds: How long it may take to import everything.
        fork_seconds: How long one fork may take.
        orphan_seconds: How long its processes may live on without the worker.
    """

    name: str
    words: Sequence[str]
    environment: Mapping[str, str]
    start_seconds: float
    fork_seconds: float
    orphan_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkedProcess:
    """A process that was forked.

    Attributes:
        pid: Its process id.
        pidfd: Readable when it is gone; a signal through it cannot hit another process. Owned by
            whoever has this value.
        socket: The worker's end of its connection; owned likewise.
        status: Done when it was reaped: its exit code, minus the signal, or None if unknown.
    """

    pid: int
    pidfd: int
    socket: socket.socket
    status: _Status


class ForkServer:
    """A running fork server; made by `start`.

    The lease has a socket of its own: it must not wait for requests to fork.

    Args:
        process: Its process.
        control: The socket for requests and answers.
        lease: The socket for the lease.
        program: What it runs.

    Attributes:
        gone: Set when it cannot fork any more.
        told_bytes: The memory that it has last said it uses.
    """

    def __init__(
        self,
        *,
        process: asyncio.subprocess.Process,
        control: socket.socket,
        lease: socket.socket,
        program: Program,
    ) -> None:
        self._process = process
        self._control = control
        self._lease = lease
        self._turns = asyncio.Semaphore(FORKS_AT_ONCE)
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)
        self._listening = asyncio.create_task(self._listen(), name=f"fork-server:{process.pid}")
        self._program = program
        self._log = log.bind(forks=program.name, pid=process.pid)
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._forks: dict[int, asyncio.Future[tuple[int, int, _Status]]] = {}
        self._statuses: dict[int, _Status] = {}
        self._numbers = 0
        self._open = True
        self.gone = asyncio.Event()
        self.told_bytes: int | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can fork."""
        return self._open

    @classmethod
    async def start(cls, program: Program) -> Self:
        """Start it and return when it has imported everything.

        Raises:
            DependencyError: It does not start.
        """
        try:
            server = await cls._spawn(program)
        except OSError as error:
            raise DependencyError(f"{_not_started(program)}: {explain(error)}") from error
        await server.ready(seconds=program.start_seconds)
        return server

    async def ready(self, *, seconds: float) -> None:
        """Return when it has imported everything; otherwise it is ended.

        Raises:
            DependencyError: It fails, or takes longer than that.
        """
        self._loop.add_reader(self._control, self._on_readable)
        try:
            async with asyncio.timeout(seconds):
                await self._ready
        except TimeoutError as error:
            await self._end()
            raise DependencyError(f"{_not_started(self._program)} within {seconds:g} s") from error
        except DependencyError as error:
            await self._end()
            reason = "; ".join(self._said) or "it has left"
            raise DependencyError(f"{_not_started(self._program)}: {reason}") from error
        except asyncio.CancelledError:
            await self._end()
            raise
        self._log.info("fork_server.started")

    @classmethod
    async def _spawn(cls, program: Program) -> Self:
        with ExitStack() as theirs, ExitStack() as ours:
            ends = []
            for _ in range(2):
                mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                mine.settimeout(0)
                ours.enter_context(mine)
                ends.append((mine, theirs.enter_context(its)))
            (control, its_control), (lease, its_lease) = ends
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *program.words,
                str(its_control.fileno()),
                str(its_lease.fileno()),
                str(os.getpid()),
                str(program.orphan_seconds),
                env=program.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                # Read at all times: the worker's own may be a pipe that nobody reads, and whoever
                # says something there would be stuck.
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(its_control.fileno(), its_lease.fileno()),
                start_new_session=True,  # a Ctrl-C is for the worker, which stops them itself
            )
            ours.pop_all()
            return cls(process=process, control=control, lease=lease, program=program)

    async def fork(self) -> ForkedProcess:
        """Fork a process.

        Raises:
            DependencyError: No process could be started.
        """
        async with self._turns:
            if not self._open:
                raise DependencyError("the fork server is gone")
            try:
                ours, theirs = socket.socketpair()
            except OSError as error:
                raise DependencyError(self._none(explain(error))) from error
            ours.settimeout(0)
            try:
                with theirs:
                    pid, pidfd, status = await self._request(theirs)
            except BaseException:  # also when cancelled: the descriptor is ours
                ours.close()
                raise
            return ForkedProcess(pid=pid, pidfd=pidfd, socket=ours, status=status)

    async def _request(self, theirs: socket.socket) -> tuple[int, int, _Status]:
        self._numbers += 1
        number = self._numbers
        answer: asyncio.Future[tuple[int, int, _Status]] = self._loop.create_future()
        self._forks[number] = answer
        try:
            socket.send_fds(self._control, [encode(Fork(number=number))], [theirs.fileno()])
            async with asyncio.timeout(self._program.fork_seconds):
                return await answer
        except (OSError, TimeoutError) as error:
            raise DependencyError("the fork server does not answer") from error
        except BaseException:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                os.close(answer.result()[1])  # cancelled when the answer had just come
            raise
        finally:
            self._forks.pop(number, None)

    def extend_lease(self, deadline: float | None, *, spare_seconds: float = 0.0) -> None:
        """Let them live until a moment, or without end. Never blocks.

        Args:
            deadline: The moment, by `lease_time`; None: without end.
            spare_seconds: How much later they may still be killed, by the kernel then, if the fork
                server stands still.
        """
        if not self._open:
            return
        try:
            self._lease.send(encode(Lease(deadline=deadline, spare_seconds=spare_seconds)))
        except OSError as error:  # not extended, which is the safe side
            self._log.warning("fork_server.lease_not_extended", reason=repr(error))

    def ask_memory(self) -> None:
        """Let it say how much memory it uses. Never blocks."""
        if self._open:
            with suppress(OSError):  # the next time
                self._control.send(encode(Measure()))

    async def close(self) -> None:
        """End it; what still runs is killed. Idempotent."""
        self._lose()
        try:
            async with asyncio.timeout(EXIT_SECONDS):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:  # also when there is no time left for that
            await self._end()

    async def _end(self) -> None:
        """End it at once."""
        self._lose()
        with suppress(ProcessLookupError):
            if self._process.returncode is None:
                self._process.kill()
        try:
            await self._process.wait()
            await asyncio.wait((self._listening,), timeout=EXIT_SECONDS)
        finally:
            self._listening.cancel()

    async def _listen(self) -> None:
        """Log what comes on its standard error, which is little: it fails, or one of them does."""
        stream = self._process.stderr
        assert stream is not None
        rest = b""
        while data := await stream.read(_READ_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[-_READ_BYTES:]
            for line in lines:
                text = line.decode(errors="replace").strip()
                if text:
                    self._said.append(text)
                    self._log.warning("fork_server.said", output=text)

    def _on_readable(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, MAX_PACKET_BYTES, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            self._log.warning("fork_server.gone")
            self._lose()
            return
        try:
            for frame in FrameDecoder(_DECODER).feed(data):
                self._on_frame(frame, descriptors)
        except WireError as error:
            self._log.error("fork_server.unreadable", reason=str(error))
            self._lose()

    def _on_frame(self, frame: FromForkServer, descriptors: list[int]) -> None:
        match frame:
            case Ready():
                self._ready.set_result(None)
            case Forked(number=number, pid=pid):
                self._on_forked(number, pid, descriptors[0] if descriptors else None)
            case NotForked(number=number, detail=detail):
                if (answer := self._forks.get(number)) and not answer.done():
                    answer.set_exception(DependencyError(self._none(detail)))
            case Measured(pss_bytes=size):
                self.told_bytes = size
            case Reaped(pid=pid, status=status):
                if (waiting := self._statuses.pop(pid, None)) and not waiting.done():
                    waiting.set_result(status)
            case other:
                raise WireError(f"{type(other).__name__} is not for the worker")

    def _on_forked(self, number: int, pid: int, pidfd: int | None) -> None:
        status = self._statuses[pid] = self._loop.create_future()
        answer = self._forks.get(number)
        if answer is None or answer.done():  # nobody waits any more; its closed socket ends it
            if pidfd is not None:
                os.close(pidfd)
        elif pidfd is None:  # the kernel leaves out what this process has no number for
            error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            answer.set_exception(DependencyError(self._none(explain(error))))
        else:
            answer.set_result((pid, pidfd, status))

    def _lose(self) -> None:
        if not self._open:
            return
        self._open = False
        self.gone.set()
        self._loop.remove_reader(self._control)
        self._control.close()
        self._lease.close()
        lost = DependencyError("the fork server is gone")
        if not self._ready.done():
            self._ready.set_exception(lost)
        for answer in self._forks.values():
            if not answer.done():
                answer.set_exception(lost)
        for status in self._statuses.values():
            if not status.done():
                status.set_result(None)
        self._statuses.clear()

    def _none(self, reason: str) -> str:
        return f"none of the {self._program.name} can be started: {reason}"


def _not_started(program: Program) -> str:
    return f"the fork server for {program.name} does not start"
