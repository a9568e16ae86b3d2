"""One host as its session sees it: requests out, events in, and an end that is always told."""

import asyncio
import os
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

import structlog

from gateway_worker.errors import (
    DependencyError,
    GatewayError,
    InvalidCommandError,
    SessionNotConnectedError,
    UncertainError,
    UpstreamTimeoutError,
)
from gateway_worker.host_protocol.methods import Call, Effect, Method, R, Result
from gateway_worker.runtime.os_errors import explain
from gateway_worker.sessions.hosting import (
    HostEvent,
    HostExited,
    HostListener,
)
from gateway_worker.sessions.send_journal import Acknowledged, NotSubmitted, Rejected
from gateway_worker.whatsapp import translate
from gateway_worker.whatsapp.crash import crash_reason
from gateway_worker.whatsapp.forkserver import ForkedHost
from gateway_worker.whatsapp.ipc import frames
from gateway_worker.whatsapp.ipc.codec import WireError
from gateway_worker.whatsapp.ipc.frames import Frame
from gateway_worker.whatsapp.ipc.streaming import FrameProtocol
from gateway_worker.whatsapp.journal import Run, trace
from gateway_worker.whatsapp.settings import WhatsAppSettings

log = structlog.get_logger(__name__)

STATUS_SECONDS: Final = 1.0
"""How long to wait for the exit code of a process that is gone."""
CANCEL_SECONDS: Final = 5.0
"""How long before its time is up a request is given up. In that time its host says that it had not
begun, or the library reconnects and learns what became of it."""
ACK_SECONDS: Final = 0.5
ACK_EVERY: Final = 64
"""Acknowledgements are told after so long, or when there are so many."""
SPARE_EVENTS: Final = 256
"""How many events more than its records in flight a host may have waiting; then nothing more is
read from it until they are taken. One that keeps to its limit never comes near."""
MOST_WAITING_BYTES: Final = 16 * 1024 * 1024
"""How many bytes a host may have written since its first event that waits, likewise."""
NOTICES: Final = 50
NOTICES_SECONDS: Final = 10.0
"""So many notices of one host are logged in so long; of the others, that there were any."""
NOTICE_LENGTH: Final = 200
_NOTICE: Final = re.compile("[a-z_]{1,40}")
MOST_MEMORY_BYTES: Final = 1 << 40
JOURNAL_SECONDS: Final = 2.0
"""How long to wait until the journal of a host that is gone can be trusted."""
_LAST_WORDS: Final = (frames.Ended, frames.PairingFailed)
"""After these a host leaves by itself, and has as long for it as one that was told to."""


class _HostGoneError(GatewayError):
    """The process ended before it had answered a request."""


class HostProcess:
    """A running host; made and started by `HostProcesses.launch`.

    Args:
        session_id: For the log.
        directory: The session's directory.
        forked: Its process; owned from here on.
        listener: Gets its events.
        settings: The times.
        noticed: Called with the name of each notice of the host.
        is_ours: Whether a process id is that of a host of this worker that runs now.
    """

    def __init__(
        self,
        *,
        session_id: str,
        directory: Path,
        forked: ForkedHost,
        listener: HostListener,
        settings: WhatsAppSettings,
        noticed: Callable[[str], None],
        is_ours: Callable[[int], bool] = lambda _pid: False,
    ) -> None:
        self._log = log.bind(session_id=session_id, host_pid=forked.pid)
        self._directory = directory
        self._forked = forked
        self._listener = listener
        self._settings = settings
        self._noticed = noticed
        self._is_ours = is_ours
        self._worker_id = ""
        self._epoch = 0
        self._only_replays = False
        self._loop = asyncio.get_running_loop()
        self._protocol = FrameProtocol(on_frame=self._on_frame, on_closed=self._on_closed)
        self._most_events = settings.in_flight + SPARE_EVENTS
        self._is_paused = False
        self._waiting_since = 0
        self._notices_left = NOTICES
        self._notices_until = 0.0
        self.told_bytes: int | None = None
        self._closed = asyncio.Event()
        self._gone = asyncio.Event()
        self._events: asyncio.Queue[HostEvent] = asyncio.Queue()
        self._requests: dict[int, asyncio.Future[Result]] = {}
        self._numbers = 0
        # Records that were told and are needed, in order; those acknowledged since the last word.
        self._open: dict[int, None] = {}
        self._settled: list[int] = []
        self._told = 0
        self._ack_every = max(1, min(ACK_EVERY, settings.in_flight // 4))
        self._ack_due: asyncio.TimerHandle | None = None
        self._expected = False
        self._unlinked = False
        self._last_requests: set[int] = set()
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._forked.pid

    async def connect(self) -> None:
        """Take over the socket and watch the process; before anything else.

        Raises:
            DependencyError: It cannot be watched, and is no more.
        """
        try:
            self._loop.add_reader(self._forked.pidfd, self._on_gone)
            await self._loop.create_unix_connection(
                lambda: self._protocol, sock=self._forked.socket
            )
        except BaseException as error:
            self.kill()
            self._loop.remove_reader(self._forked.pidfd)
            os.close(self._forked.pidfd)
            self._forked.socket.close()
            if isinstance(error, OSError):
                raise DependencyError(f"no host can be started: {explain(error)}") from error
            raise

    def begin(self, start: frames.Start) -> None:
        """Tell the host what to do; from now on the listener is called."""
        self._worker_id, self._epoch = start.worker_id, start.epoch
        self._only_replays = start.replay
        self._tasks = (
            asyncio.create_task(self._listen(), name=f"host-events:{self.pid}"),
            asyncio.create_task(self._conclude(), name=f"host-end:{self.pid}"),
        )
        self._protocol.send(start)

    # The port.

    async def request(self, call: Method[R], *, command_id: str | None = None) -> R:
        """Call a method; see the port."""
        began = datetime.now(UTC)
        try:
            result = await self._request(call, command_id)
        except _HostGoneError:
            result = await self._after_the_end(call, command_id, began)
        if not isinstance(result, call.result):
            raise UncertainError("the session's process gave an answer to something else")
        return cast("R", result)

    async def _after_the_end(
        self, call: Method[R], command_id: str | None, began: datetime
    ) -> Result:
        """Return or raise what became of a call whose host has died."""
        if call.effect is not Effect.ONCE:
            raise SessionNotConnectedError("the session's process ended; it can be asked again")
        if command_id is None:
            raise UncertainError("the session's process ended meanwhile")
        return await self._ask_journal(command_id, began)

    async def _ask_journal(self, command_id: str, began: datetime) -> Result:
        await self._gone.wait()
        run = Run(command_id=command_id, worker_id=self._worker_id, epoch=self._epoch, began=began)
        found = await trace(self._directory, run, is_ours=self._is_ours, seconds=JOURNAL_SECONDS)
        self._log.info("host.send_traced", command_id=command_id, trace=type(found).__name__)
        match found:
            case Acknowledged(result=result):
                return result
            case Rejected(error=error):
                raise error
            case NotSubmitted():
                raise SessionNotConnectedError("the session's process ended; nothing was sent")
            case _:
                raise UncertainError("the session's process ended while the message was sent")

    async def stop(self) -> None:
        """Disconnect and leave; killed after a few seconds. Idempotent."""
        self._expected = True
        if self._gone.is_set():
            return
        if self._ack_due is not None:
            self._cancel_ack()
            self._send_ack()
        self._protocol.send(frames.Stop())
        try:
            async with asyncio.timeout(self._settings.stop_seconds):
                await self._gone.wait()
        except TimeoutError:
            self._kill_late()
            await self._gone.wait()

    def acknowledge(self, record: int) -> None:
        """Let the host forget a record; the calls of a moment become one frame.

        Each frame wakes the host, and nothing is lost by being late: what a crash brings again is
        recognised.
        """
        if record not in self._open:
            return
        del self._open[record]
        self._settled.append(record)
        at_once = self._expected or len(self._settled) >= self._ack_every
        if at_once:
            self._cancel_ack()
        if self._ack_due is None:
            self._ack_due = self._loop.call_later(0 if at_once else ACK_SECONDS, self._send_ack)

    # For the launcher.

    def kill(self) -> None:
        """End the process at once."""
        if not self._gone.is_set():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._forked.pidfd, signal.SIGKILL)

    def _kill_late(self) -> None:
        """Kill a process that should have left by now."""
        if not self._gone.is_set():
            self._log.warning("host.killed", after_seconds=self._settings.stop_seconds)
            self.kill()

    def forbid(self) -> None:
        """Have the process leave at once, and kill it if it has not after a moment."""
        if not self._gone.is_set():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._forked.pidfd, signal.SIGTERM)
            self._loop.call_later(frames.LEAVE_SECONDS, self.kill)

    def ask_memory(self) -> None:
        """Let it say how much memory it uses; see `told_bytes`."""
        if not self._closed.is_set():
            self._protocol.send(frames.Measure())

    async def finish(self, *, seconds: float) -> None:
        """Wait until the listener has had the last event; after that long it is cancelled."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def is_gone(self) -> bool:
        """Whether the process has ended."""
        return self._gone.is_set()

    async def gone(self) -> None:
        """Return when the process has ended."""
        await self._gone.wait()

    @property
    def finished(self) -> bool:
        """Whether the listener has had the last event."""
        return bool(self._tasks) and all(task.done() for task in self._tasks)

    # Requests.

    async def _request(self, call: Method[R], command_id: str | None) -> Result:
        if self._closed.is_set():
            raise SessionNotConnectedError("the session's process is gone")
        self._numbers += 1
        number = self._numbers
        future: asyncio.Future[Result] = self._loop.create_future()
        self._requests[number] = future
        if call.ends_host:
            self._last_requests.add(number)
        request = frames.Request(request=number, call=cast("Call", call), command_id=command_id)
        seconds = call.timeout_seconds or self._settings.send_timeout_seconds
        try:
            self._protocol.send(request)
            reserve = min(CANCEL_SECONDS, seconds / 2)
            done, _ = await asyncio.wait((future,), timeout=seconds - reserve)
            if not done:
                self._protocol.send(frames.Cancel(request=number))
                done, _ = await asyncio.wait((future,), timeout=reserve)
            if not done:
                raise _late(call)
            return future.result()
        except WireError as error:
            raise InvalidCommandError(
                "the message cannot be sent as it is", pointer="/data/content"
            ) from error
        finally:
            self._requests.pop(number, None)

    def _cancel_ack(self) -> None:
        if self._ack_due is not None:
            self._ack_due.cancel()
            self._ack_due = None

    def _send_ack(self) -> None:
        self._ack_due = None
        settled, self._settled = self._settled, []
        up_to = next(iter(self._open)) - 1 if self._open else self._told
        beyond = tuple(record for record in settled if record > up_to)
        self._protocol.send(frames.Ack(record=up_to, beyond=beyond))

    # From the host.

    def _on_frame(self, frame: Frame) -> None:
        match frame:
            case frames.Response(request=number, result=result):
                self._answer(number, result)
            case frames.Failed(request=number):
                self._fail(number, translate.error_of(frame))
            case frames.Notice(event=event, detail=detail):
                self._on_notice(event, detail)
            case frames.Measured(pss_bytes=size):
                self.told_bytes = min(max(0, size), MOST_MEMORY_BYTES)
            case _:
                self._on_news(frame)

    def _on_notice(self, event: str, detail: str) -> None:
        """Log and count a notice; a host that is not itself any more makes no flood of them."""
        name = event if _NOTICE.fullmatch(event) else "unknown"
        self._noticed(name)
        now = self._loop.time()
        if now >= self._notices_until:
            self._notices_left, self._notices_until = NOTICES, now + NOTICES_SECONDS
        self._notices_left -= 1
        if self._notices_left > 0:
            self._log.warning(f"host.{name}", detail=detail[:NOTICE_LENGTH])
        elif self._notices_left == 0:
            self._log.error("host.notices_suppressed", seconds=NOTICES_SECONDS)

    def _on_news(self, frame: Frame) -> None:
        if self._events.empty():
            self._waiting_since = self._protocol.received_bytes
        if isinstance(frame, _LAST_WORDS):
            self._loop.call_later(self._settings.stop_seconds, self._kill_late)
        if isinstance(frame, translate.SpooledFrame):
            self._told = frame.record
            self._open[frame.record] = None
        try:
            self._events.put_nowait(translate.host_event(frame))  # type: ignore[arg-type]
        except ValueError as error:
            self._log.error("host.event_unusable", reason=type(error).__name__)
            self._noticed("event_unusable")
            if isinstance(frame, translate.SpooledFrame):
                self.acknowledge(frame.record)
        self._pause_if_flooded()

    def _pause_if_flooded(self) -> None:
        """Let a host wait that says more than its session takes; it fills its own memory then."""
        written = self._protocol.received_bytes - self._waiting_since
        is_flooded = self._events.qsize() >= self._most_events or written >= MOST_WAITING_BYTES
        if is_flooded and not self._is_paused:
            self._is_paused = True
            self._protocol.pause()
            self._log.warning("host.paused", events=self._events.qsize(), written_bytes=written)

    def _answer(self, number: int, result: Result) -> None:
        self._unlinked = self._unlinked or number in self._last_requests
        future = self._requests.get(number)
        if future is not None and not future.done():
            future.set_result(result)

    def _fail(self, number: int, error: GatewayError) -> None:
        future = self._requests.get(number)
        if future is not None and not future.done():
            future.set_exception(error)

    # The end.

    def _on_closed(self, error: Exception | None) -> None:
        if isinstance(error, WireError):
            self._log.error("host.unreadable", reason=str(error))
        self._closed.set()
        for number, future in self._requests.items():
            if not future.done():
                self._fail(number, _HostGoneError("the session's process ended meanwhile"))
        self.kill()  # a host that closes its socket and lives on is of no use

    def _on_gone(self) -> None:
        self._loop.remove_reader(self._forked.pidfd)
        self._gone.set()

    async def _listen(self) -> None:
        while True:
            event = await self._events.get()
            if self._is_paused and self._events.empty():
                self._is_paused = False
                self._protocol.resume()
            try:
                await self._listener(event)
            except Exception:  # noqa: BLE001 - one event that fails must not end the host
                self._log.exception("host.listener_failed", event_type=type(event).__name__)
            if isinstance(event, HostExited):
                return

    async def _conclude(self) -> None:
        """Put the last event behind all others, once process and connection are gone."""
        await self._gone.wait()
        os.close(self._forked.pidfd)
        await self._closed.wait()
        done, _ = await asyncio.wait((self._forked.status,), timeout=STATUS_SECONDS)
        status = self._forked.status.result() if done else None
        detail = await asyncio.to_thread(crash_reason, self._directory, status)
        is_done = self._only_replays and status == 0
        self._events.put_nowait(
            HostExited(expected=self._expected or self._unlinked or is_done, detail=detail)
        )


def _late(call: Method[R]) -> GatewayError:
    if call.effect is Effect.ONCE:
        return UncertainError("no acknowledgement came in time")
    return UpstreamTimeoutError("WhatsApp did not answer in time")
