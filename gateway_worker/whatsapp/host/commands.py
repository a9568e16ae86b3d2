"""The worker's requests, each in the lane of its method; the loop goes on meanwhile.

Ordered calls follow one another: the library sends nothing while it waits for an acknowledgement,
for 75 seconds, and has no way to give up. What it does have is a rule for a lost connection: it
reconnects and sends the same message again under the same id, and so learns what became of it. So
when the worker gives up on such a call while it runs, its connection is cut. A message that has not
been handed over by then never is. Queries run beside them, and one that the worker gives up is left
to the library's own time limit: cutting the connection would cost the others more. The next queries
do not wait for that. Gestures have a lane like that of queries, and so wait for none. Transfers run
beside them all, one at a time also when one was given up: the library holds the whole file in
memory several times over, and has no time limit for one. So that a media server that does not
answer does not occupy the lane for ever, its connections are cut some time after that. Which of
these a call is, its method says.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway_worker.host_protocol.envelope import FromHost, Notice, Request, Response
from gateway_worker.host_protocol.failures import Failure, FailureKind
from gateway_worker.host_protocol.framing import WireError
from gateway_worker.host_protocol.methods import Result
from gateway_worker.host_protocol.methods.method import Effect, HostLane, WhenLate
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.signals import PairCode, PairingEnd, PairingFailed
from gateway_worker.whatsapp.convert.failures import query_failure
from gateway_worker.whatsapp.host.lanes import LaneThread
from gateway_worker.whatsapp.host.methods import RUNS, Tools
from gateway_worker.whatsapp.host.methods.presence import restore as restore_presence
from gateway_worker.whatsapp.host.native import Library
from gateway_worker.whatsapp.host.presence_keeper import PresenceKeeper
from gateway_worker.whatsapp.host.sending import GIVEN_UP, Sender, SendFailedError

PAIR_CODE_SECONDS: Final = 160.0
"""How long the library waits for the phone, counted from the first QR code."""
NEXT_CUT_SECONDS: Final = 3.0
"""Until the connection is cut once more; after the second time the library stops trying."""
RECONNECT_SECONDS: Final = 5.0
"""How long the next request waits for the connection that was cut."""
LATE: Final = Failure(
    kind=FailureKind.TIMED_OUT, detail="WhatsApp did not answer in time", attempts=1
)
"""The end of a query or a transfer, also of one that has only waited for those before it."""
ABANDONED_SECONDS: Final = 30.0
"""How long a transfer that was given up may go on, before the connections are cut."""
_STOPPING: Final = Failure(
    kind=FailureKind.NOT_CONNECTED, detail="the session's process is about to end"
)
_NO_TURN: Final = Failure(
    kind=FailureKind.NOT_BEGUN, detail="those before it took too long; it was not begun"
)
_UNANSWERED: Final = Failure(
    kind=FailureKind.UNCERTAIN, detail="WhatsApp did not answer in time; it may have taken effect"
)
PAIRING: Final = -1
"""The request for a pairing code, which no worker has numbered."""
RESTORING: Final = -2
"""Telling WhatsApp anew of presence, likewise."""


class Commands:
    """Runs requests.

    Args:
        library: The client.
        sender: Sends messages with it.
        send: Sends a frame to the worker; safe from every thread.
        unlinked: Called after the device was unlinked.
        cut: Cuts the library's connection, which it then makes anew.
        transferred: Called, on any thread, when a transfer has ended.
        configure: Has the host obey other settings.
        retries: Tells how often devices of others have asked for a message again.
    """

    def __init__(
        self,
        *,
        library: Library,
        sender: Sender,
        send: Callable[[FromHost], None],
        unlinked: Callable[[], None],
        cut: Callable[[], object],
        transferred: Callable[[], None] = lambda: None,
        configure: Callable[[HostSettings], None] = lambda _settings: None,
        retries: Callable[[], int] = lambda: 0,
    ) -> None:
        self._library = library
        self._sender = sender
        self._send = send
        self._unlinked = unlinked
        self._cut = cut
        self._transferred = transferred
        presence = PresenceKeeper(failed=self._on_presence_lost)
        self._configure = configure
        self._tools = Tools(
            library=library,
            sender=sender,
            configure=self._obey,
            presence=presence,
            retries=retries,
        )
        self._cut_when_late: set[int] = set()
        self._once: set[int] = set()
        self._is_closed = False
        self._is_up = False
        self._up_again = threading.Event()
        self._up_again.set()
        self._ordered = LaneThread(name="commands", before=self._await_connection)
        self._queries = LaneThread(name="queries")
        self._gestures = LaneThread(name="gestures")
        self._transfers = LaneThread(name="transfers")
        self._abandoned: set[int] = set()

    def request(self, request: Request) -> None:
        """Queue a call; one that comes after `close` finds no connection."""
        if self._is_closed:
            self._refuse(request.request, _STOPPING)
            return
        if request.call.lane is HostLane.NONE:
            self._answer(request)
            return
        if request.call.when_late is WhenLate.CUT:
            self._cut_when_late.add(request.request)
        elif request.call.effect is Effect.ONCE:
            self._once.add(request.request)
        self._lane(request).put(request.request, lambda: self._answer(request))

    def pair(self, number: str) -> None:
        """Queue the request for a code."""
        self._ordered.put(PAIRING, lambda: self._pair(number))

    def cancel(self, request: int) -> None:
        """Answer a request that has not begun, and never begin it; one that runs is late."""
        beside = (self._queries, self._gestures)
        if self._transfers.take(request) or any(lane.take(request) for lane in beside):
            self._refuse(request, _NO_TURN if request in self._once else LATE)
        elif any(lane.abandon(request) for lane in beside):
            self._refuse(request, _UNANSWERED if request in self._once else LATE)
        elif self._transfers.running == request:
            self._abandon_transfer(request)
        elif self._ordered.take(request):
            self._refuse(request, _NO_TURN)
        elif self._ordered.running == request and request in self._cut_when_late:
            if self._sender.give_up(request):
                self._send(Response(request=request, failure=GIVEN_UP))
            threading.Thread(
                target=self._end, args=(request,), name=f"end-{request}", daemon=True
            ).start()

    @property
    def is_running(self) -> bool:
        """Whether the library has an ordered call that it has not answered."""
        return self._ordered.running is not None

    @property
    def is_idle(self) -> bool:
        """Whether no request runs or waits that a connection to WhatsApp would end."""
        return all(lane.is_idle for lane in (self._ordered, self._queries, self._gestures))

    @property
    def is_at_rest(self) -> bool:
        """Whether no request runs or waits at all."""
        return all(lane.is_idle for lane in self._lanes)

    def close(self) -> None:
        """Begin nothing more, and tell what waits that the connection ends; what runs goes on.

        A library that leaves its connection may hold a message for longer than this process lives,
        and nobody would know what became of it. One whose recipient is still being looked up has
        not been given to it, and never is.
        """
        self._is_closed = True
        running = self._ordered.running
        if running is not None and self._sender.give_up(running):
            self._refuse(running, _STOPPING)
        for lane in self._lanes:
            for request in lane.waiting:
                if lane.take(request):
                    self._refuse(request, _STOPPING)

    def abandon(self) -> None:
        """Begin nothing more, and answer nobody: the worker is gone. What runs goes on."""
        self._is_closed = True
        if (running := self._ordered.running) is not None:
            self._sender.give_up(running)
        for lane in self._lanes:
            for request in lane.waiting:
                lane.take(request)

    def finish(self, seconds: float) -> None:
        """Wait for the end of the ordered call that runs, at most that long."""
        self._ordered.wait_idle(seconds)

    def connected(self) -> None:
        """Note that the library has connected; WhatsApp has forgotten whose presence it tells."""
        self._is_up = True
        self._up_again.set()
        self._tools.presence.connected()
        self._restore_presence()

    def disconnected(self) -> None:
        """Note that the library has lost its connection."""
        self._is_up = False

    def _obey(self, settings: HostSettings) -> None:
        self._configure(settings)
        self.want_presence(settings)
        if self._is_up:
            self._restore_presence()

    def want_presence(self, settings: HostSettings) -> None:
        """Keep to the presence that is set; it is told as soon as there is a connection."""
        self._tools.presence.want(settings.presence, settings.presence_of)

    def _restore_presence(self) -> None:
        if self._tools.presence.is_wanted and not self._is_closed:
            self._gestures.put(RESTORING, lambda: restore_presence(self._tools))

    def _on_presence_lost(self) -> None:
        with suppress(OSError):  # the worker is gone
            self._send(Notice(event="presence_not_restored"))

    @property
    def _lanes(self) -> tuple[LaneThread, ...]:
        return (self._queries, self._gestures, self._transfers, self._ordered)

    def _lane(self, request: Request) -> LaneThread:
        match request.call.lane:
            case HostLane.QUERY:
                return self._queries
            case HostLane.GESTURE:
                return self._gestures
            case HostLane.TRANSFER:
                return self._transfers
            case _:
                return self._ordered

    def _abandon_transfer(self, request: int) -> None:
        """Answer a transfer that runs and is late; it keeps its lane until the library ends it."""
        if request in self._abandoned:
            return
        self._abandoned.add(request)
        self._send(Response(request=request, failure=LATE))
        timer = threading.Timer(ABANDONED_SECONDS, self._end_transfer, args=(request,))
        timer.daemon = True
        timer.start()

    def _end_transfer(self, request: int) -> None:
        if self._transfers.running == request:
            self._cut()

    def _await_connection(self) -> None:
        if not self._up_again.wait(RECONNECT_SECONDS):
            self._up_again.set()  # it takes longer: the library says what that means

    def _end(self, request: int) -> None:
        while self._ordered.running == request:
            # Cut while it is being made, a connection occupies the library for 20 seconds.
            if self._is_up:
                self._is_up = False
                self._up_again.clear()
                self._cut()
            self._ordered.wait_idle(NEXT_CUT_SECONDS)

    def _answer(self, request: Request) -> None:
        result: Result | None = None
        failure: Failure | None = None
        try:
            result = RUNS[type(request.call)](self._tools, request, request.call)
        except SendFailedError as error:
            failure = error.failure
        except Exception as error:  # noqa: BLE001 - a fault of ours is an answer, too
            failure = _fault(request, type(error).__name__)
        if request.call.lane is HostLane.TRANSFER:
            self._transferred()
        self._cut_when_late.discard(request.request)
        self._once.discard(request.request)
        if request.request in self._abandoned:  # it has had its answer
            self._abandoned.discard(request.request)
            return
        with suppress(OSError):  # the worker is gone; the loop finds out by itself
            try:
                self._send(Response(request=request.request, result=result, failure=failure))
            except WireError:  # it is too large; raised here, it would end the lane
                failure = _fault(request, "the answer does not fit into a frame", attempts=1)
                self._send(Response(request=request.request, failure=failure))
            if result is not None and request.call.ends_host:
                self._unlinked()

    def _pair(self, number: str) -> None:
        with suppress(OSError):  # as above
            try:
                code = self._library.pair_phone(number)
            except Exception as error:  # noqa: BLE001 - as above
                failure = query_failure(str(error), "the request for a pairing code")
                self._send(PairingFailed(end=PairingEnd.FAILED, detail=failure.detail))
                self._unlinked()
                return
            self._send(PairCode(code=code, valid_seconds=PAIR_CODE_SECONDS))

    def _refuse(self, request: int, failure: Failure) -> None:
        self._cut_when_late.discard(request)
        self._once.discard(request)
        if request not in (PAIRING, RESTORING):
            self._send(Response(request=request, failure=failure))


def _fault(request: Request, detail: str, *, attempts: int | None = None) -> Failure:
    """Return what a fault of ours says of a call: what must not be done twice may be done."""
    is_once = request.call.effect is Effect.ONCE
    kind = FailureKind.UNCERTAIN if is_once else FailureKind.TIMED_OUT
    return Failure(kind=kind, detail=detail, attempts=attempts)
