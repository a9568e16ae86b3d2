"""How a session stands: state, account, QR code; every change is recorded and announced."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from gateway_contracts import (
    SessionEvent,
    SessionPairCode,
    SessionPairCodeData,
    SessionQr,
    SessionQrData,
    SessionState,
    SessionStatus,
    SessionStatusData,
    StatusReason,
)
from gateway_worker.runtime.background import Background
from gateway_worker.runtime.clock import Clock
from gateway_worker.sessions.changes import (
    Change,
    Committed,
    DesiredState,
    Reachout,
    SessionValues,
    source_of,
)
from gateway_worker.sessions.ports import CurrentQr, Recorder, RouteCache, SessionRow
from gateway_worker.sessions.session.disconnects import Disconnect
from gateway_worker.sessions.session.transitions import check_transition

log = structlog.get_logger(__name__)

_NOTHING = SessionValues()


class SessionStateMachine:
    """The state of one session and the only place that changes it.

    Args:
        row: The session as the database has it.
        worker_id: This worker.
        recorder: Gets every change.
        route_cache: Shows backends state and QR code.
        background: Writes to it, in order.
        clock: For the ends of codes and pauses.

    Attributes:
        has_left: Whether the session is not this worker's any more, or was deleted.
        disconnected_since: Since when it has not been connected, by the monotonic clock.
    """

    def __init__(
        self,
        *,
        row: SessionRow,
        worker_id: str,
        recorder: Recorder,
        route_cache: RouteCache,
        background: Background,
        clock: Clock,
    ) -> None:
        self._row = row
        self._worker_id = worker_id
        self._source = source_of(worker_id)
        self._recorder = recorder
        self._route_cache = route_cache
        self._background = background
        self._clock = clock
        self._on_fenced: Callable[[], None] = _ignore
        self._changed = asyncio.Event()
        self._qr_attempt = 0
        self._last: asyncio.Future[Committed] | None = None
        self.state = row.state
        self.account = row.account
        self.qr: CurrentQr | None = None
        self.fenced = False
        self.has_left = False
        self.disconnected_since = time.monotonic()

    def when_fenced(self, listener: Callable[[], None]) -> None:
        """Call `listener` once, if another worker turns out to own the session."""
        self._on_fenced = listener

    def enter(
        self,
        state: SessionState,
        reason: StatusReason,
        *,
        detail: str | None = None,
        retry_at: datetime | None = None,
        update: SessionValues = _NOTHING,
    ) -> None:
        """Go to another state, write it down and announce it.

        Raises:
            IllegalTransitionError: The table of states does not have this step.
        """
        check_transition(self.state, state)
        previous, self.state = self.state, state
        if previous is SessionState.CONNECTED:
            self.disconnected_since = time.monotonic()
        log.info(
            "session.state",
            session_id=self._row.session_id,
            state=state,
            previous=previous,
            reason=reason,
        )
        self._announce(previous, reason, detail=detail, retry_at=retry_at, update=update)
        self._changed.set()

    def pause(self, reason: StatusReason, *, detail: str | None, seconds: float) -> None:
        """Note that the connection is made again after so long."""
        self.enter(
            SessionState.RECONNECTING, reason, detail=detail, retry_at=self._deadline(seconds)
        )

    def end(self, ending: Disconnect) -> None:
        """Go to a state that only a command leaves again."""
        if ending.forget:
            self.account = None
        self.enter(
            ending.state,
            ending.reason,
            detail=ending.detail,
            retry_at=ending.retry_at(self._clock.now()),
            update=SessionValues(desired=DesiredState.STOPPED, forget_account=ending.forget),
        )

    def note_reachout(self, reachout: Reachout) -> None:
        """Write down what WhatsApp has said of new chats."""
        self.record(
            Change(
                session_id=self._row.session_id,
                epoch=self._row.epoch,
                session=SessionValues(reachout=reachout),
            )
        )

    def announce_created(self) -> None:
        """Announce a session that was just created."""
        self._announce(None, StatusReason.REQUESTED)

    def begin_pairing(self) -> None:
        """Count QR codes from one again."""
        self._qr_attempt = 0

    def show_qr(self, code: str, valid_seconds: float) -> None:
        """Announce a QR code and keep it for those who ask."""
        qr = CurrentQr(code=code, expires_at=self._deadline(valid_seconds))
        self._qr_attempt += 1
        self._set_qr(qr)
        data = SessionQrData(code=code, expires_at=qr.expires_at, attempt=self._qr_attempt)
        self._publish(SessionQr(source=self._source, subject=self._row.session_id, data=data))

    def clear_qr(self) -> None:
        """Forget the QR code: nobody can scan it any more."""
        if self.qr is not None:
            self._set_qr(None)

    def show_pair_code(self, code: str, valid_seconds: float) -> None:
        """Announce a code to be typed on the phone."""
        data = SessionPairCodeData(code=code, expires_at=self._deadline(valid_seconds))
        self._publish(SessionPairCode(source=self._source, subject=self._row.session_id, data=data))

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def notify(self) -> None:
        """Have whoever waits for something look whether that has come."""
        self._changed.set()

    def record(self, change: Change) -> "asyncio.Future[Committed]":
        """Queue a change of this session; notices if another worker owns it by now."""
        future = self._last = self._recorder.record(change)
        future.add_done_callback(self._check_fence)
        return future

    async def until_written(self) -> None:
        """Return when all that was recorded so far is committed."""
        if self._last is not None:
            await asyncio.wait((self._last,))

    def fence(self) -> None:
        """Note that another worker owns the session by now. Idempotent."""
        if not self.fenced:
            self.fenced = True
            log.warning("session.fenced", session_id=self._row.session_id, epoch=self._row.epoch)
            self._on_fenced()
            self._changed.set()

    def leave(self) -> None:
        """Note that the session is gone from here; whoever waits for it is notified. Idempotent."""
        self.has_left = True
        self._changed.set()

    def _announce(
        self,
        previous: SessionState | None,
        reason: StatusReason,
        *,
        detail: str | None = None,
        retry_at: datetime | None = None,
        update: SessionValues = _NOTHING,
    ) -> None:
        data = SessionStatusData(
            state=self.state,
            previous=previous,
            reason=reason,
            detail=detail,
            worker=self._worker_id,
            account=self.account,
            retry_at=retry_at,
        )
        self._publish(
            SessionStatus(source=self._source, subject=self._row.session_id, data=data),
            SessionValues(
                state=self.state,
                desired=update.desired,
                account=update.account,
                forget_account=update.forget_account,
            ),
        )
        self._route(self.state)

    def _publish(self, event: SessionEvent, update: SessionValues | None = None) -> None:
        self.record(
            Change(
                session_id=self._row.session_id,
                epoch=self._row.epoch,
                events=(event,),
                session=update,
            )
        )

    def _route(self, state: SessionState) -> None:
        self._background.post(
            self._row.session_id,
            lambda: self._route_cache.put(
                self._row.session_id,
                worker_id=self._worker_id,
                state=state,
                epoch=self._row.epoch,
            ),
        )

    def _set_qr(self, qr: CurrentQr | None) -> None:
        self.qr = qr
        self._changed.set()
        self._background.post(
            self._row.session_id, lambda: self._route_cache.put_qr(self._row.session_id, qr)
        )

    def _check_fence(self, done: "asyncio.Future[Committed]") -> None:
        if not done.cancelled() and done.exception() is None and done.result().fenced:
            self.fence()

    def _deadline(self, seconds: float) -> datetime:
        return self._clock.now() + timedelta(seconds=seconds)


def _ignore() -> None:
    """Nobody wants to know."""
