"""The processes that look at files, as the worker sees them: each is forked for one file."""

import asyncio
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from gateway_worker.errors import DependencyError
from gateway_worker.media.inspection.protocol import MAX_ANSWER_BYTES
from gateway_worker.runtime.forking.client import ForkedProcess, ForkServer, Program
from gateway_worker.runtime.forking.current import CurrentForkServer

PROGRAM: Final = "gateway_worker.media.inspection"
WORDS: Final = ("-I", "-m", PROGRAM)
"""Isolated: nothing of the environment or the working directory is imported."""
START_SECONDS: Final = 60.0
FORK_SECONDS: Final = 30.0
END_SECONDS: Final = 5.0
"""How long to wait for the end of a process that was killed."""
_PASSED_ON: Final = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")
_READ_BYTES: Final = 65_536


class Helpers:
    """Asks processes about files; an asynchronous context manager, which ends them all.

    What they are forked from has imported all that decodes, which takes longer than to look at most
    files. It is started for the first file, so a worker that sends none has none, and again if it
    has died. A process looks at one file, so none learns of another.

    Args:
        words: What the interpreter is given for what they are forked from.
    """

    def __init__(self, words: Sequence[str] = WORDS) -> None:
        self._words = words
        self._servers = CurrentForkServer(self._start)

    @property
    def pid(self) -> int | None:
        """The process id of what they are forked from, if it runs."""
        server = self._servers.latest
        return server.pid if server is not None and server.alive else None

    async def ask(self, question: bytes, *, seconds: float) -> tuple[int | None, bytes]:
        """Let a process of its own answer a question; it is gone then, with all it has started.

        Args:
            question: The question.
            seconds: How long that may take.

        Returns:
            How it ended (None: it was killed here, for the time was up) and what it said.

        Raises:
            DependencyError: No process can be started.
        """
        forked = await self._fork()
        try:
            async with asyncio.timeout(seconds):
                said = await _exchange(forked.socket, question)
                await asyncio.wait((forked.status,))
            # It is not known of one whose parent has died: it was killed for that.
            status = forked.status.result()
        except TimeoutError:
            return None, b""
        else:
            return -signal.SIGKILL if status is None else status, said
        finally:
            await _end(forked)

    async def __aenter__(self) -> Self:
        """Start nothing: that is done for the first file."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what they are forked from, and whatever still looks at a file."""
        await self._servers.close()

    async def _fork(self) -> ForkedProcess:
        server = await self._servers.running()
        try:
            return await server.fork()
        except DependencyError:
            if server.alive:
                raise
        return await (await self._servers.running()).fork()  # that one had died

    async def _start(self) -> ForkServer:
        return await ForkServer.start(
            Program(
                name="inspections",
                words=self._words,
                environment=_environment(os.environ),
                start_seconds=START_SECONDS,
                fork_seconds=FORK_SECONDS,
            )
        )


async def _exchange(ours: socket.socket, question: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    said = bytearray()
    with suppress(ConnectionError):  # it has ended already, which its status tells
        await loop.sock_sendall(ours, question)
        ours.shutdown(socket.SHUT_WR)
        while len(said) <= MAX_ANSWER_BYTES and (data := await loop.sock_recv(ours, _READ_BYTES)):
            said += data
    return bytes(said)


async def _end(forked: ForkedProcess) -> None:
    """Kill a process if it still runs, and return when it is gone."""
    try:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(forked.pidfd, signal.SIGKILL)
        await asyncio.wait((forked.status,), timeout=END_SECONDS)
    finally:
        os.close(forked.pidfd)
        forked.socket.close()


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the processes get of the worker's environment: none of its secrets."""
    return {
        **{name: environ[name] for name in _PASSED_ON if name in environ},
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "1",
    }
