"""One host as its session sees it: requests out, events in, and an end that is always told."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

import structlog

from gateway_worker.errors import DependencyError, SessionNotConnectedError, UncertainError
from gateway_worker.host_protocol.envelope import (
    LEAVE_SECONDS,
    Event,
    FromHost,
    HistoryPage,
    HistoryTaken,
    Ignored,
    Measure,
    Measured,
    Notice,
    Response,
    Start,
    Stop,
    VolatileEvent,
)
from gateway_worker.host_protocol.framing import WireError
from gateway_worker.host_protocol.methods import Result
from gateway_worker.host_protocol.methods.method import Effect, Method, R
from gateway_worker.host_protocol.signals import Ended, Exited, PairingFailed
from gateway_worker.runtime.forking.client import ForkedProcess
from gateway_worker.runtime.os_errors import explain
from gateway_worker.sessions.hosting import HostEvent, HostListener
from gateway_worker.sessions.send_journal import Acknowledged, NotSubmitted, Rejected, Submitted
from gateway_worker.whatsapp.crash import crash_reason
from gateway_worker.whatsapp.ipc.streaming import FrameProtocol
from gateway_worker.whatsapp.notices import NoticeLog
from gateway_worker.whatsapp.open_records import OpenRecords
from gateway_worker.whatsapp.requests import HostGoneError, PendingRequests
from gateway_worker.whatsapp.send_journals import Run, submitted, trace
from gateway_worker.whatsapp.settings import WhatsAppSettings

log = structlog.get_logger(__name__)

STATUS_SECONDS: Final = 1.0
"""How long to wait for the exit code of a process that is gone."""
SPARE_EVENTS: Final = 256
"""How many more than its records in flight a host may have told of and not be rid of; then nothing
more is read from it until there is room. One that keeps to its limit never comes near."""
MOST_WAITING_BYTES: Final = 16 * 1024 * 1024
"""How many bytes of them there may be, likewise."""
MOST_MEMORY_BYTES: Final = 1 << 40
JOURNAL_SECONDS: Final = 2.0
"""How long to wait until the journal of a host that is gone can be trusted."""
_LAST_WORDS: Final = (Ended, PairingFailed)
"""After these a host leaves by itself, and has as long for it as one that was told to."""


class HostProcess:
    """A running host; made and started by `HostProcesses.launch`.

    Args:
        session_id: For the log.
        directory: The session's directory.
        forked: Its process; owned from here on.
        listener: Gets its events.
        settings: The times.
        noticed: Called with the name of each notice of the host.
        ignored: Called with how much of what arrived was ignored, by why.
        is_ours: Whether a process id is that of a host of this worker that runs now.
    """

    def __init__(
        self,
        *,
        session_id: str,
        directory: Path,
        forked: ForkedProcess,
        listener: HostListener,
        settings: WhatsAppSettings,
        noticed: Callable[[str], None],
        ignored: Callable[[Mapping[str, int]], None] = lambda _counts: None,
        is_ours: Callable[[int], bool] = lambda _pid: False,
    ) -> None:
        self._log = log.bind(session_id=session_id, host_pid=forked.pid)
        self._directory = directory
        self._forked = forked
        self._listener = listener
        self._settings = settings
        self._notices = NoticeLog(log=self._log, noticed=noticed)
        self._ignored = ignored
        self._is_ours = is_ours
        self._worker_id = ""
        self._epoch = 0
        self._only_replays = False
        self._loop = asyncio.get_running_loop()
        self._protocol = FrameProtocol(on_frame=self._on_frame, on_closed=self._on_closed)
        self._most_events = settings.in_flight + SPARE_EVENTS
        self._is_paused = False
        self._waiting = 0
        self._waiting_since = 0
        self.told_bytes: int | None = None
        self._closed = asyncio.Event()
        self._gone = asyncio.Event()
        self._events: asyncio.Queue[HostEvent] = asyncio.Queue()
        self._requests = PendingRequests(
            send=self._protocol.send, timeout_seconds=settings.send_timeout_seconds
        )
        self._records = OpenRecords(send=self._protocol.send, in_flight=settings.in_flight)
        self._expected = False
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

    def begin(self, start: Start) -> None:
        """Tell the host what to do; from now on the listener is called."""
        self._worker_id, self._epoch = start.worker_id, start.epoch
        self._only_replays = start.replay
        self._tasks = (
            asyncio.create_task(self._listen(), name=f"host-events:{self.pid}"),
            asyncio.create_task(self._conclude(), name=f"host-end:{self.pid}"),
        )
        self._protocol.send(start)

    # The port.

    async def request(
        self,
        call: Method[R],
        *,
        command_id: str | None = None,
        seconds: float | None = None,
    ) -> R:
        """Call a method; see the port."""
        began = datetime.now(UTC)
        if self._closed.is_set():
            raise SessionNotConnectedError("the session's process is gone")
        try:
            result = await self._requests.call(call, command_id, seconds)
        except HostGoneError:
            result = await self._after_the_end(call, command_id, began)
        except UncertainError as error:
            if command_id is None or call.effect is not Effect.ONCE:
                raise
            found = await asyncio.to_thread(submitted, self._directory, command_id)
            raise _uncertain(error.detail, found) from error
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
            case Submitted():
                raise _uncertain("the session's process ended while the message was sent", found)
            case NotSubmitted():
                raise SessionNotConnectedError("the session's process ended; nothing was sent")
            case _:
                raise UncertainError("the session's process ended while the message was sent")

    async def stop(self) -> None:
        """Disconnect and leave; killed after a few seconds. Idempotent."""
        self._expected = True
        if self._gone.is_set():
            return
        self._records.flush()
        self._protocol.send(Stop())
        try:
            async with asyncio.timeout(self._settings.stop_seconds):
                await self._gone.wait()
        except TimeoutError:
            self._kill_late()
            await self._gone.wait()

    def acknowledge(self, record: int) -> None:
        """Let the host forget a record; cheap, see the port."""
        self._records.acknowledge(record, at_once=self._expected)
        self._resume_if_there_is_room()

    def take_history(self, page: str) -> None:
        """Let the host go on behind a page of the history; cheap, see the port."""
        if not self._closed.is_set():
            self._protocol.send(HistoryTaken(page=page))

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
            self._loop.call_later(LEAVE_SECONDS, self.kill)

    def ask_memory(self) -> None:
        """Let it say how much memory it uses; see `told_bytes`."""
        if not self._closed.is_set():
            self._protocol.send(Measure())

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

    # From the host.

    def _on_frame(self, frame: FromHost) -> None:
        match frame:
            case Event():
                self._records.told(frame)
                self._on_event(frame)
            case VolatileEvent() | HistoryPage():
                self._on_event(frame)
            case Response():
                self._requests.on_response(frame)
            case Notice():
                self._notices.take(frame)
            case Ignored(counts=counts):
                self._ignored(counts)
            case Measured(pss_bytes=size):
                self.told_bytes = min(max(0, size), MOST_MEMORY_BYTES)
            case signal_:
                if isinstance(signal_, _LAST_WORDS):
                    self._loop.call_later(self._settings.stop_seconds, self._kill_late)
                self._on_event(signal_)

    def _on_event(self, event: HostEvent) -> None:
        if self._events.empty():
            self._waiting_since = self._protocol.received_bytes
        self._waiting += _counts(event)
        self._events.put_nowait(event)
        if not self._is_paused and not self._gone.is_set() and not self._has_room(1.0):
            self._is_paused = True
            self._protocol.pause()
            self._log.warning("host.paused", events=self._waiting, records=len(self._records))

    def _has_room(self, share: float) -> bool:
        """Whether no more than a share of what may wait does; beyond that a host fills its own."""
        unread = 0
        if not self._events.empty():
            unread = self._protocol.received_bytes - self._waiting_since
        return (
            max(self._waiting, len(self._records)) < share * self._most_events
            and max(unread, self._records.size_bytes) < share * MOST_WAITING_BYTES
        )

    def _resume_if_there_is_room(self) -> None:
        # Not at the first place that is free: a host at its limit would be paused for each event.
        if self._is_paused and self._events.empty() and self._has_room(0.5):
            self._is_paused = False
            self._protocol.resume()

    # The end.

    def _on_closed(self, error: Exception | None) -> None:
        if isinstance(error, WireError):
            self._log.error("host.unreadable", reason=str(error))
        self._closed.set()
        self._requests.host_gone()
        self.kill()  # a host that closes its socket and lives on is of no use

    def _on_gone(self) -> None:
        self._loop.remove_reader(self._forked.pidfd)
        self._gone.set()
        self._is_paused = False
        self._protocol.resume()  # there is an end to what it has written

    async def _listen(self) -> None:
        while True:
            event = await self._events.get()
            self._waiting -= _counts(event)
            self._resume_if_there_is_room()
            try:
                await self._listener(event)
            except Exception:  # noqa: BLE001 - one event that fails must not end the host
                self._log.exception("host.listener_failed", event_type=type(event).__name__)
            if isinstance(event, Exited):
                return

    async def _conclude(self) -> None:
        """Put the last event after all others, once process and connection are gone."""
        await self._gone.wait()
        os.close(self._forked.pidfd)
        await self._closed.wait()
        done, _ = await asyncio.wait((self._forked.status,), timeout=STATUS_SECONDS)
        status = self._forked.status.result() if done else None
        detail = await asyncio.to_thread(crash_reason, self._directory, status)
        is_done = self._only_replays and status == 0
        is_expected = self._expected or self._requests.has_ended_host or is_done
        self._events.put_nowait(Exited(expected=is_expected, detail=detail))


def _uncertain(detail: str, found: Submitted) -> UncertainError:
    return UncertainError(detail, chat=found.chat, message_id=found.message_id)


def _counts(event: HostEvent) -> int:
    """Return 1, but 0 for all parts of a record but the last: hosts are held to records."""
    return 0 if isinstance(event, Event) and not event.last else 1
