"""Receipts on their way to the recorder: each waits for its message, and holds nobody up.

A receipt may be here before the end of the send that it is about, because WhatsApp tells both in
any order and the library needs a moment for the answer. Which command has sent a message is found
at the commit; what cannot be found while a send is executing is not written yet and comes back:

    receipt ──► known, or nothing is being sent ──► recorder ──► written
        └─────► held ◄────────── early ◄───────────────┘
                  └── the send has ended, or a moment has passed ──► recorder

Receipts of one message keep their order. What cannot be found within a bound is told without its
command: it is about a message that was sent in another way.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import structlog

from gateway_worker.sessions.changes import Change, Committed
from gateway_worker.sessions.inbound.receipt_traces import Key, ReceiptTraces, Record

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 120.0
"""How long a receipt waits at most: longer than any send may execute."""
FIRST_LOOK_SECONDS = 0.25
"""After so long a receipt that waits for a send in this process is looked up all the same: it may
be about a message of long ago."""
NEXT_LOOK_SECONDS = 5.0
MOST_HELD = 1_000
"""Messages whose receipts may be held; what comes beyond that does not wait."""


class SendsInProgress:
    """The sends of one session: whether one runs, and what the recent ones have sent.

    Args:
        remembered: How many messages are remembered.
        on_confirmed: Called with the first receipt of each of them: how many seconds after the end
            of its send that came.
        traces: Knows which were sent within a trace; without it none is.
    """

    def __init__(
        self,
        *,
        remembered: int,
        on_confirmed: Callable[[float], None] = lambda _seconds: None,
        traces: ReceiptTraces | None = None,
    ) -> None:
        self.traces = traces
        self._remembered = remembered
        self._on_confirmed = on_confirmed
        self._recent: OrderedDict[Key, float | None] = OrderedDict()
        self._running = 0
        self._listeners: list[Callable[[], None]] = []

    def __bool__(self) -> bool:
        return self._running > 0

    def knows(self, key: Key) -> bool:
        """Whether a message was sent a short while ago, and its send's end is with the recorder."""
        return key in self._recent

    def sent(self, chat: str, message_id: str, *, traceparent: str | None = None) -> None:
        """Note a message that was just sent, and the trace that it was sent within."""
        if self.traces is not None and traceparent is not None:
            self.traces.sent((chat, message_id), traceparent)
        self._recent[chat, message_id] = time.monotonic()
        if len(self._recent) > self._remembered:
            self._recent.popitem(last=False)

    def confirmed(self, key: Key) -> None:
        """Note a receipt of a message; only the first of one that was just sent counts."""
        sent_at = self._recent.get(key)
        if sent_at is not None:
            self._recent[key] = None
            self._on_confirmed(time.monotonic() - sent_at)

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Note that a message is being sent."""
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            # Not before its end is with the recorder: whoever sends goes there without a pause.
            self.settled()

    def settled(self) -> None:
        """Note that the end of a send is with the recorder, whichever process had begun it."""
        for listener in self._listeners:
            asyncio.get_running_loop().call_soon(listener)

    def when_over(self, listener: Callable[[], None]) -> None:
        """Have a function called after the end of each send."""
        self._listeners.append(listener)


@dataclass(slots=True, kw_only=True)
class _Held:
    change: Change
    future: "asyncio.Future[Committed]"
    since: float


@dataclass(slots=True, kw_only=True)
class _Line:
    """The receipts of one message, in order; the first is with the recorder if `is_asked`."""

    look_at: float
    waiting: deque[_Held] = field(default_factory=deque)
    is_asked: bool = False


class ReceiptQueue:
    """The receipts of one session.

    Args:
        record: Queues a change under the session's epoch.
        sends: The session's sends.
    """

    def __init__(self, *, record: Record, sends: SendsInProgress) -> None:
        self._record = record
        self._sends = sends
        self._lines: dict[Key, _Line] = {}
        self._timer: asyncio.TimerHandle | None = None
        sends.when_over(self._look)

    @property
    def held(self) -> int:
        """How many messages have receipts that wait."""
        return len(self._lines)

    def submit(self, change: Change) -> "asyncio.Future[Committed]":
        """Take a receipt; the future is done once it is committed, which may take its time."""
        assert change.receipt is not None
        key = (change.receipt.chat, change.receipt.message_id)
        self._sends.confirmed(key)
        line = self._lines.get(key)
        if line is None and (self._sends.knows(key) or len(self._lines) >= MOST_HELD):
            return self._record(change)
        loop = asyncio.get_running_loop()
        held = _Held(change=change, future=loop.create_future(), since=loop.time())
        if line is not None:
            line.waiting.append(held)
            return held.future
        line = self._lines[key] = _Line(look_at=held.since + FIRST_LOOK_SECONDS)
        line.waiting.append(held)
        if self._sends:
            self._set_timer(line.look_at)
        else:
            self._ask(key, line)
        return held.future

    def _ask(self, key: Key, line: _Line) -> None:
        now = asyncio.get_running_loop().time()
        line.look_at = now + NEXT_LOOK_SECONDS
        held = line.waiting[0]
        may_wait = now - held.since < PATIENCE_SECONDS
        self._sends.confirmed(key)
        assert held.change.receipt is not None
        line.is_asked = True
        asked = self._record(
            replace(held.change, receipt=replace(held.change.receipt, waits=may_wait))
        )
        asked.add_done_callback(lambda done: self._answered(key, line, done))

    def _answered(self, key: Key, line: _Line, done: "asyncio.Future[Committed]") -> None:
        line.is_asked = False
        if not done.cancelled() and done.exception() is None and done.result().early:
            self._set_timer(line.look_at)
            return
        held = line.waiting.popleft()
        _pass_on(done, held.future)
        if line.waiting:
            self._ask(key, line)
        else:
            del self._lines[key]

    def _look(self, *, until: float | None = None) -> None:
        """Ask for all that is held, or for what is due."""
        for key, line in list(self._lines.items()):
            if not line.is_asked and (until is None or line.look_at <= until):
                self._ask(key, line)

    def _set_timer(self, at: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._timer = loop.call_at(at, self._on_timer)
        elif at < self._timer.when():
            self._timer.cancel()
            self._timer = loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._look(until=asyncio.get_running_loop().time())
        waits = [line.look_at for line in self._lines.values() if not line.is_asked]
        if waits:
            self._set_timer(min(waits))


def _pass_on(done: "asyncio.Future[Committed]", future: "asyncio.Future[Committed]") -> None:
    if future.done():
        return
    if done.cancelled():
        future.cancel()
    elif (error := done.exception()) is not None:
        future.set_exception(error)
    else:
        future.set_result(done.result())
