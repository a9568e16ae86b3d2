"""One host's loop: the library's events out to the worker, the worker's frames in.

Three threads of ours: this loop, one that is inside the library's client for as long as it runs,
and one for requests once there is the first. The library calls `LibraryCallbacks` on its own.
"""

import math
import os
import select
import signal
import time
from collections import deque
from functools import partial
from pathlib import Path
from typing import Final

from neonize.proto.Neonize_pb2 import MessageInfo, MessageSource
from neonize.proto.waWeb.WAWebProtobufsWeb_pb2 import WebMessageInfo

from gateway_worker.host_protocol.envelope import (
    Ack,
    Cancel,
    FromHost,
    HistoryTaken,
    Ignored,
    Measure,
    Measured,
    Notice,
    Request,
    Start,
    Stop,
    ToHost,
)
from gateway_worker.host_protocol.framing import WireError
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.signals import (
    Down,
    Ended,
    Linked,
    PairingEnd,
    PairingFailed,
    QrCode,
    Up,
)
from gateway_worker.host_protocol.wire import Person
from gateway_worker.runtime.memory import pss_bytes
from gateway_worker.whatsapp.convert.opening import SecretsOf, opened_past
from gateway_worker.whatsapp.convert.people import People, account, remembering
from gateway_worker.whatsapp.convert.stops import last_word
from gateway_worker.whatsapp.host import library_events as events
from gateway_worker.whatsapp.host.commands import Commands
from gateway_worker.whatsapp.host.disconnect_timer import DisconnectTimer
from gateway_worker.whatsapp.host.history_reader import HistoryReader
from gateway_worker.whatsapp.host.ignoring import IgnoredArrivals
from gateway_worker.whatsapp.host.kernel import bound_errors, cut_connections, force_to_disk
from gateway_worker.whatsapp.host.left_out import SendRemarks
from gateway_worker.whatsapp.host.library_callbacks import (
    HostSignal,
    LibraryCallbacks,
    LibraryReturned,
    LinkEvent,
    LoggedIn,
    PairingDone,
    QrShown,
    StoreFailed,
)
from gateway_worker.whatsapp.host.library_events import link_news
from gateway_worker.whatsapp.host.library_run import ANSWER_SECONDS, LibraryRun
from gateway_worker.whatsapp.host.memory_watch import MemoryWatch
from gateway_worker.whatsapp.host.native import Callbacks, Library, parse_device
from gateway_worker.whatsapp.host.quarantine import Quarantine
from gateway_worker.whatsapp.host.ratchet_rollback import RatchetRollback
from gateway_worker.whatsapp.host.send_journal import SendJournal
from gateway_worker.whatsapp.host.sending import Sender
from gateway_worker.whatsapp.host.spool import Spool
from gateway_worker.whatsapp.host.spool_sender import SpoolSender
from gateway_worker.whatsapp.host.store_changes import StoreChanges
from gateway_worker.whatsapp.host.store_file import log_of
from gateway_worker.whatsapp.host.store_watch import StoreWatch
from gateway_worker.whatsapp.host.volatile import VolatileEvents
from gateway_worker.whatsapp.ipc.blocking import BlockingChannel

FIRST_QR_SECONDS: Final = 60.0
NEXT_QR_SECONDS: Final = 20.0
LONGEST_WAIT_SECONDS: Final = 60.0
FORBIDDEN_SECONDS: Final = 0.3
"""How long a host that may not run any more has for what the library has decrypted already: killed
at once, it would take with it what WhatsApp believes to be delivered."""
UNLINK_SECONDS: Final = 1.0
"""How long the library may take to delete an unlinked device; it does so after it has told it."""
QUIET_SECONDS: Final = 0.1
"""With nothing new for so long after it has disconnected, the library has told all it had."""
DISCONNECT_SECONDS: Final = 1.0
QUIET_CHECK_SECONDS: Final = 0.02
IGNORED_SECONDS: Final = 5.0
"""How often at most is told how much was ignored."""
_PAIRING_ENDS: Final = {"timeout": PairingEnd.TIMED_OUT, "passkey-request": PairingEnd.PASSKEY}
"""What the library calls them; it has other words too."""
_OTHER_CONNECTION: Final = frozenset({events.CONNECTED, events.DISCONNECTED})
"""With these, what was seen of the connection before is out of date."""


class HostSession:
    """A host that is about to run.

    Args:
        start: What the worker wants.
        channel: The connection to it.
        spool: Opened already.
        journal: Likewise.
        library: Ready to run.
        rollback: Keeps what the next host needs if this one is killed.
        secrets_of: Returns the secrets of messages, from the device store.
    """

    def __init__(
        self,
        *,
        start: Start,
        channel: BlockingChannel,
        spool: Spool,
        journal: SendJournal,
        library: Library,
        rollback: RatchetRollback,
        secrets_of: SecretsOf,
    ) -> None:
        self._start = start
        self._channel = channel
        self._spool = spool
        self._rollback = rollback
        self._announced = start.resume_jid is not None
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._host_signals: deque[HostSignal] = deque()
        self._people = People(phone_of=remembering(library.phone_of))
        store = Path(start.directory) / start.device_store
        remarks = SendRemarks()
        self._ignoring = IgnoredArrivals(
            info_class=MessageInfo, source_class=MessageSource, wake=self._wake
        )
        self._ignored_told_at = -math.inf
        self._history = HistoryReader(
            directory=Path(start.directory),
            message_class=WebMessageInfo,
            people=self._people,
            ignoring=self._ignoring,
            send=self._send,
            open_past=partial(opened_past, people=self._people, secrets_of=secrets_of),
            wake=self._wake,
        )
        self._configure(start.settings)
        self._commands = Commands(
            library=library,
            sender=Sender(
                library=library,
                journal=journal,
                remarks=remarks,
                changes=StoreChanges(store),
                settle=partial(force_to_disk, log_of(store)),
                own=self._own_devices,
            ),
            send=self._send,
            unlinked=self._leave_soon,
            cut=cut_connections,
            transferred=self._note_transfer,
            configure=self._configure,
            retries=lambda: self._callbacks.retries,
        )
        self._commands.want_presence(start.settings)
        self._memory_watch = MemoryWatch(
            limit_bytes=start.memory_limit_bytes,
            rest_seconds=start.memory_rest_seconds,
            measure=lambda: pss_bytes(os.getpid()),
        )
        self._qr_codes = 0
        self._known = False
        self._returned = False
        self._connection = 0
        self._is_silent = False
        self._disconnect_timer = DisconnectTimer(patience_seconds=start.unreachable_seconds)
        self._leaving: float | None = None
        self._earliest = 0.0
        self._is_forbidden = False
        self._library_run = LibraryRun(
            library=library,
            tell=self._tell,
            wake=self._wake,
            is_sending=lambda: self._commands.is_running,
            is_leaving=lambda: self._leaving is not None,
        )
        self._volatile = VolatileEvents(
            people=self._people, send=self._send, ignoring=self._ignoring
        )
        self._callbacks = LibraryCallbacks(
            spool=spool,
            tell=self._tell,
            wake=self._wake,
            handed=rollback.handed,
            watch=StoreWatch(
                answered=partial(self._commands.finish, ANSWER_SECONDS),
                cut=self._library_run.cut_what_is_up,
                failed=lambda: self._tell(StoreFailed()),
                disconnected=self._library_run.disconnected,
            ),
            remarks=remarks,
            volatile=self._volatile,
            ignoring=self._ignoring,
            history=self._store_history,
        )
        self._spool_sender = SpoolSender(
            spool=spool,
            people=self._people,
            send=self._send,
            in_flight=start.in_flight,
            quarantine=Quarantine(directory=Path(start.directory)),
            open_vote=library.open_vote,
            secrets_of=secrets_of,
            ignoring=self._ignoring,
        )

    def run(self) -> None:
        """Run until the connection has ended or the worker says so; the process may end then.

        Raises:
            OSError: The worker is gone; what ran is finished, as far as time allowed.
        """
        try:
            self._loop()
        except OSError:
            self._finish_alone()
            raise

    def _loop(self) -> None:
        if self._spool.damaged_bytes:
            self._send(Notice(event="spool_damaged", detail=f"{self._spool.damaged_bytes} bytes"))
        taking = self._callbacks
        self._library_run.start(
            Callbacks(event=taking.event, qr=taking.qr, login=taking.login, log=taking.log),
            settings=self._start.settings,
            proxy=self._start.proxy_url,
        )
        signal.signal(signal.SIGTERM, lambda _number, _frame: self._lose_permission())
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        poll.register(self._wakeup, select.POLLIN)
        while not self._done():
            ready = dict(poll.poll(self._wait_milliseconds()))
            if self._wakeup in ready:
                os.eventfd_read(self._wakeup)
            if self._is_forbidden:
                self._leave(within=FORBIDDEN_SECONDS)
            if self._channel.fileno() in ready:
                for frame in self._channel.receive():
                    self._on_frame(frame)
            while self._host_signals:
                self._on_host_signal(self._host_signals.popleft())
            self._leave_if_unreachable()
            self._leave_if_memory_is_kept()
            if self._known:  # else the client cannot be asked yet whose a LID is
                self._volatile.send_waiting()
                self._spool_sender.send_waiting()
                if self._leaving is None:
                    self._history.send_waiting()
            self._tell_ignored()
            self._settle_keys()
            bound_errors()

    # From other threads.

    def _tell(self, host_signal: HostSignal) -> None:
        self._host_signals.append(host_signal)
        self._wake()

    def _lose_permission(self) -> None:
        self._is_forbidden = True
        self._wake()

    def _wake(self) -> None:
        os.eventfd_write(self._wakeup, 1)

    def _send(self, frame: FromHost) -> None:
        self._channel.send(frame)

    def _store_history(self, data: bytes) -> None:
        self._history.store(data)
        self._note_transfer()  # it has taken memory as a large file does

    def _note_transfer(self) -> None:
        self._memory_watch.transferred(time.monotonic())
        self._wake()

    def _leave_soon(self) -> None:
        self._tell(LibraryReturned(error=""))

    # The loop.

    def _done(self) -> bool:
        now = time.monotonic()
        if self._library_run.is_over:  # the library has stopped: nothing more can come from it
            return True
        if self._leaving is None or now < self._earliest:
            return False
        settled = self._is_forbidden or not self._spool.pending or not self._known
        return now >= self._leaving or (settled and self._is_quiet(now))

    def _wait_milliseconds(self) -> int:
        now = time.monotonic()
        if self._leaving is None:
            looks = (
                self._disconnect_timer.seconds_to_look(now),
                self._memory_watch.seconds_to_look(now),
                self._seconds_to_settle(),
                self._seconds_to_tell_ignored(),
            )
            return int(1000 * min(LONGEST_WAIT_SECONDS, *looks)) + 1
        if now >= self._earliest and not self._spool.pending:
            return int(QUIET_CHECK_SECONDS * 1000)
        until = self._earliest if now < self._earliest else self._leaving
        return max(0, int((until - now) * 1000) + 1)

    def _leave(self, *, within: float | None = None) -> None:
        """Disconnect; what is in the spool may still be acknowledged for a moment."""
        if self._leaving is not None:
            return
        self._commands.close()
        seconds = self._start.drain_seconds if within is None else within
        self._leaving = time.monotonic() + seconds
        self._spool.lift_limit()
        if self._known and not self._returned:
            self._library_run.disconnect()

    def _is_quiet(self, now: float) -> bool:
        """Whether the library has told all that it had when it disconnected, an answer too."""
        if self._library_run.is_disconnecting or self._commands.is_running:
            return False
        since = max(self._library_run.disconnected_at, self._callbacks.last_event_at)
        return not self._known or (not self._callbacks.is_busy and now - since >= QUIET_SECONDS)

    def _finish_alone(self) -> None:
        """End as well as possible without a worker, whose successor waits for this process.

        The send that runs gets its answer, which is in the journal then. What the library has
        taken from WhatsApp already goes to the spool.
        """
        self._commands.abandon()
        self._commands.finish(self._start.orphan_seconds)
        deadline = time.monotonic() + DISCONNECT_SECONDS
        self._leave()
        while (now := time.monotonic()) < deadline and not self._is_quiet(now):
            time.sleep(QUIET_CHECK_SECONDS)

    def _leave_if_unreachable(self) -> None:
        """Leave a connection to another host, which the worker starts after a pause of its own.

        The library tries again for ever, at times that all sessions share and that grow without a
        bound. A request that runs is waited for: its answer comes with the next connection.
        """
        if self._leaving is None and self._disconnect_timer.has_expired(
            time.monotonic(), is_busy=not self._commands.is_idle
        ):
            reason = "silent" if self._is_silent else "unreachable"
            self._send(Ended(reason=reason, detail="WhatsApp was unavailable for too long"))
            self._leave()

    def _leave_if_memory_is_kept(self) -> None:
        """Leave to another host, in a moment in which nothing is under way."""
        if self._leaving is not None:
            return
        is_busy = not (self._commands.is_at_rest and self._is_quiet(time.monotonic()))
        if self._memory_watch.has_kept_too_much(
            time.monotonic(), is_busy=is_busy or bool(self._spool.pending)
        ):
            self._send(Ended(reason="memory_kept", detail="its process has kept too much memory"))
            self._leave()

    def _configure(self, settings: HostSettings) -> None:
        """Obey other settings; at the start, and then in the loop."""
        self._ignoring.set(settings.ignored, settings.ignored_chats)
        self._history.set(settings.history)

    def _seconds_to_tell_ignored(self) -> float:
        if not self._ignoring.has_news:
            return math.inf
        return max(0.0, self._ignored_told_at + IGNORED_SECONDS - time.monotonic())

    def _tell_ignored(self) -> None:
        if self._seconds_to_tell_ignored() <= 0:
            self._ignored_told_at = time.monotonic()
            self._send(Ignored(counts=dict(self._ignoring.taken())))

    def _leave_unlinked(self) -> None:
        """Leave when the library, which has ended the connection itself, has deleted the device."""
        self._earliest = time.monotonic() + UNLINK_SECONDS
        self._leaving = self._earliest + self._start.drain_seconds

    def _seconds_to_settle(self) -> float:
        if self._library_run.has_returned:
            return math.inf  # it is quiet because it hands over nothing more: some may be left
        callbacks = self._callbacks
        return self._rollback.seconds_to_settle(callbacks.last_event_at, is_busy=callbacks.is_busy)

    def _settle_keys(self) -> None:
        due = self._seconds_to_settle()
        has_left = self._leaving is not None and self._is_quiet(time.monotonic())
        if self._known and (due == 0 or (has_left and due < math.inf)):
            self._rollback.settle()

    def _on_frame(self, frame: ToHost) -> None:
        match frame:
            case Ack(record=record, beyond=beyond):
                self._spool_sender.acknowledge(record, beyond)
            case HistoryTaken(page=page):
                self._history.acknowledge(page)
            case Request():
                self._commands.request(frame)
            case Cancel(request=request):
                self._commands.cancel(request)
            case Stop():
                self._leave()
            case Measure():
                self._send(Measured(pss_bytes=pss_bytes(os.getpid()) or 0))
            case other:
                raise WireError(f"{type(other).__name__} is not for a running host")

    def _on_host_signal(self, host_signal: HostSignal) -> None:
        match host_signal:
            case LinkEvent(code=code, data=data):
                self._on_link_event(code, data)
            case LoggedIn(connection=connection, own=own):
                self._on_logged_in(connection, own)
            case QrShown(code=code):
                self._on_qr(code)
            case PairingDone(status=status):
                self._on_pairing_done(status)
            case LibraryReturned(error=error):
                self._on_returned(error)
            case StoreFailed():
                self._on_store_failed()
            case Notice():
                self._send(host_signal)

    def _on_link_event(self, code: int, data: bytes) -> None:
        if code in _OTHER_CONNECTION:
            self._connection += 1
        if code == events.DEVICE:
            self._on_device(account(parse_device(data)))
        elif code == events.CONNECTED:
            self._library_run.look(self._connection)
        elif code == events.KEEP_ALIVE_RESTORED and self._people.own is not None:
            self._disconnect_timer.connected()
            self._send(Up(account=self._people.own))
        elif (news := link_news(code, data)) is not None and self._leaving is None:
            if code == events.DISCONNECTED:
                self._commands.disconnected()
            if isinstance(news, Down) and self._known:
                self._is_silent = news.is_silent
                self._disconnect_timer.disconnected(time.monotonic())
            self._send(news)
            if code == events.LOGGED_OUT:
                self._leave_unlinked()
            elif isinstance(news, Ended):
                self._leave()

    def _on_device(self, own: Person) -> None:
        self._people.own = own
        self._known = True
        self._rollback.start_late()
        self._spool.force_soon()  # a new link must not be lost to a power cut
        if not self._announced:
            self._announced = True
            self._send(Linked(account=own))

    def _own_devices(self) -> frozenset[str]:
        own = self._people.own
        return frozenset() if own is None else frozenset((own.jid, own.lid or own.jid))

    def _on_logged_in(self, connection: int, own: Person) -> None:
        if connection != self._connection:
            return  # lost while it was looked at: the library has told of that
        self._library_run.was_connected = True
        self._commands.connected()
        self._disconnect_timer.connected()
        if self._leaving is None:
            self._people.own = own
            self._send(Up(account=own))

    def _on_qr(self, code: str) -> None:
        self._qr_codes += 1
        if self._start.pair_number is None:
            seconds = FIRST_QR_SECONDS if self._qr_codes == 1 else NEXT_QR_SECONDS
            self._send(QrCode(code=code, valid_seconds=seconds))
        elif self._qr_codes == 1:
            self._commands.pair(self._start.pair_number)

    def _on_pairing_done(self, status: str) -> None:
        if status == "success":
            return
        end = _PAIRING_ENDS.get(status, PairingEnd.FAILED)
        self._send(PairingFailed(end=end, detail=f"pairing: {status}"))
        self._leave()

    def _on_returned(self, error: str) -> None:
        self._returned = True
        if self._leaving is None and (error or self._library_run.has_stopped):
            refused, connected = self._callbacks.refused, self._library_run.was_connected
            self._send(last_word(error, refused=refused, was_connected=connected))
        self._leave()
        self._library_run.is_over = self._library_run.has_stopped

    def _on_store_failed(self) -> None:
        """Leave: WhatsApp keeps what comes, until a host finds the store in order."""
        if self._leaving is None:
            self._send(Ended(reason="store_unreachable", detail="the device store does not answer"))
        self._library_run.has_failed_store = True
        self._leave()
