"""The worker's end of the fork server: starts it, asks it for hosts, learns when they are gone."""

import asyncio
import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import structlog

import gateway_worker
from gateway_worker.errors import DependencyError
from gateway_worker.whatsapp.confinement import OLDEST_VERSION, landlock_version
from gateway_worker.whatsapp.ipc.codec import FrameDecoder, WireError, encode
from gateway_worker.whatsapp.ipc.frames import (
    Fork,
    Forked,
    Frame,
    Lease,
    Measure,
    Measured,
    NotForked,
    Ready,
    Reaped,
)
from gateway_worker.whatsapp.settings import WhatsAppSettings

log = structlog.get_logger(__name__)

PROGRAM: Final = "gateway_worker.whatsapp.host.zygote"
MAX_PACKET_BYTES: Final = 4096
EXIT_SECONDS: Final = 2.0
ORPHAN_MARGIN_SECONDS: Final = 3.0
"""What a host without a worker needs beside `orphan_seconds`, to disconnect and to leave."""
_PASSED_ON: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
)
"""What the hosts get of the worker's environment: none of its passwords."""

_Status = asyncio.Future[int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkedHost:
    """A host's process.

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

    Args:
        process: The program.
        control: The socket to it.
        launch_timeout_seconds: For one fork.

    Attributes:
        gone: Set when it cannot fork any more.
        told_bytes: The memory that it has last said it uses.
    """

    def __init__(
        self,
        *,
        process: asyncio.subprocess.Process,
        control: socket.socket,
        launch_timeout_seconds: float,
    ) -> None:
        self._process = process
        self._control = control
        self._timeout = launch_timeout_seconds
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
    async def start(cls, settings: WhatsAppSettings) -> Self:
        """Start it and return when it has imported everything.

        Raises:
            DependencyError: It does not start.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(0)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                PROGRAM,
                str(theirs.fileno()),
                str(os.getpid()),
                str(settings.orphan_seconds + ORPHAN_MARGIN_SECONDS),
                env=_environment(settings),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # a Ctrl-C is for the worker, which stops its hosts itself
            )
        server = cls(
            process=process,
            control=ours,
            launch_timeout_seconds=settings.launch_timeout_seconds,
        )
        server._loop.add_reader(ours, server._on_readable)
        try:
            async with asyncio.timeout(settings.start_timeout_seconds):
                await server._ready
        except (TimeoutError, DependencyError, asyncio.CancelledError) as error:
            await server.close()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise DependencyError("the fork server for WhatsApp hosts does not start") from error
        confined = landlock_version() >= OLDEST_VERSION
        log.info("fork_server.started", pid=process.pid, confined=confined)
        if not confined:
            log.warning("hosts.unconfined", detail="the kernel has no Landlock, or it is off")
        return server

    async def fork(self) -> ForkedHost:
        """Fork a host.

        Raises:
            DependencyError: No process could be started.
        """
        if not self._open:
            raise DependencyError("the fork server is gone")
        self._numbers += 1
        number = self._numbers
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        answer: asyncio.Future[tuple[int, int, _Status]] = self._loop.create_future()
        self._forks[number] = answer
        try:
            with theirs:
                socket.send_fds(self._control, [encode(Fork(number=number))], [theirs.fileno()])
            async with asyncio.timeout(self._timeout):
                pid, pidfd, status = await answer
        except (OSError, TimeoutError) as error:
            ours.close()
            raise DependencyError("the fork server does not answer") from error
        except BaseException:  # also when cancelled: the descriptors are ours
            ours.close()
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                os.close(answer.result()[1])  # cancelled when the answer had just come
            raise
        finally:
            self._forks.pop(number, None)
        return ForkedHost(pid=pid, pidfd=pidfd, socket=ours, status=status)

    def extend_lease(self, deadline: float | None) -> None:
        """Let hosts live until a moment of the monotonic clock, or without end. Never blocks."""
        if not self._open:
            return
        try:
            self._control.send(encode(Lease(deadline=deadline)))
        except OSError as error:  # not extended, which is the safe side
            log.warning("fork_server.lease_not_extended", reason=repr(error))

    def ask_memory(self) -> None:
        """Let it say how much memory it uses. Never blocks."""
        if self._open:
            with suppress(OSError):  # the next time
                self._control.send(encode(Measure()))

    async def close(self) -> None:
        """End it; hosts that still run are killed. Idempotent."""
        self._lose()
        if self._process.returncode is None:
            try:
                async with asyncio.timeout(EXIT_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()

    def _on_readable(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, MAX_PACKET_BYTES, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            log.warning("fork_server.gone", pid=self._process.pid)
            self._lose()
            return
        try:
            for frame in FrameDecoder().feed(data):
                self._on_frame(frame, descriptors)
        except WireError as error:
            log.error("fork_server.unreadable", reason=str(error))  # noqa: TRY400 - no trace needed
            self._lose()

    def _on_frame(self, frame: Frame, descriptors: list[int]) -> None:
        match frame:
            case Ready():
                self._ready.set_result(None)
            case Forked(number=number, pid=pid):
                self._on_forked(number, pid, descriptors[0])
            case NotForked(number=number, detail=detail):
                if answer := self._forks.get(number):
                    answer.set_exception(DependencyError(f"no host could be forked: {detail}"))
            case Measured(pss_bytes=size):
                self.told_bytes = size
            case Reaped(pid=pid, status=status):
                if (waiting := self._statuses.pop(pid, None)) and not waiting.done():
                    waiting.set_result(status)
            case other:
                raise WireError(f"{type(other).__name__} is not for the worker")

    def _on_forked(self, number: int, pid: int, pidfd: int) -> None:
        status = self._statuses[pid] = self._loop.create_future()
        answer = self._forks.get(number)
        if answer is None or answer.done():  # nobody waits any more; its closed socket ends it
            os.close(pidfd)
        else:
            answer.set_result((pid, pidfd, status))

    def _lose(self) -> None:
        if not self._open:
            return
        self._open = False
        self.gone.set()
        self._loop.remove_reader(self._control)
        self._control.close()
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


def _environment(settings: WhatsAppSettings) -> dict[str, str]:
    """Return the environment of the fork server.

    The worker's own is read here and nowhere else outside its configuration, because this is about
    handing it on.
    """
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    root = Path(gateway_worker.__file__).parents[1]
    environment |= {
        "PYTHONPATH": str(root),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "GOGC": str(settings.gogc),
        # With one, handing over can wait behind decrypting: in a flood without limit a killed host
        # loses some messages that it had confirmed, which it does not with two, nor with 300 a
        # second. The second costs half a MiB for every idle session.
        "GOMAXPROCS": "1",
        "MALLOC_ARENA_MAX": str(settings.malloc_arenas),
        # neonize marks texts to a phone number as written by a bot unless told not to.
        "NEONIZE_BOT_TAG": "off",
    }
    if settings.sandbox_ca_file is not None:
        environment["SSL_CERT_FILE"] = str(settings.sandbox_ca_file)
    return environment
