"""Calls that a session's backend does not want to ring: refused as soon as they are told.

The refusal is asked of the host beside everything else, for a call does not ring long. What the
caller is written is a command that is put off until now, stored in the transaction that records the
call: it is sent once, as whatever else is put off, also if the worker dies in between.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final, Protocol

import structlog

from gateway_contracts import CallReceived, Calls
from gateway_worker.errors import GatewayError
from gateway_worker.host_protocol.methods.calls import RejectCall
from gateway_worker.runtime.background import Background
from gateway_worker.runtime.clock import Clock
from gateway_worker.sessions.deferred import DeferredRow
from gateway_worker.sessions.hosting import SessionHost

log = structlog.get_logger(__name__)

RINGS: Final = timedelta(seconds=60)
"""A call that began longer ago has come late, and rings no more."""

Answer = Callable[[CallReceived, str], DeferredRow]
"""Returns the command that writes a text to the caller. Raises ValueError if nobody can."""


class Rejected(Protocol):
    """Told of each call that was to be refused."""

    def __call__(self, *, has_left: bool) -> None:
        """Take whether the refusal has left."""
        ...


class CallScreening:
    """Refuses calls of one session.

    Args:
        session_id: The session.
        calls: What its backend has set.
        host: Returns the session's host, if it has one.
        answer: Makes what the caller is written.
        background: What goes on beside the recording.
        clock: The time.
        rejected: Called with whether a refusal has left.

    Attributes:
        calls: As above; replaced when it changes.
    """

    def __init__(
        self,
        *,
        session_id: str,
        calls: Calls | None,
        host: Callable[[], SessionHost | None],
        answer: Answer,
        background: Background,
        clock: Clock,
        rejected: Rejected,
    ) -> None:
        self._session_id = session_id
        self._host = host
        self._answer = answer
        self._background = background
        self._clock = clock
        self._rejected = rejected
        self.calls = calls

    def screen(self, call: CallReceived) -> tuple[CallReceived, DeferredRow | None]:
        """Return a call as it is told, and what its caller is to be written.

        It is refused, if that is set and it may still ring.
        """
        calls, host = self.calls, self._host()
        if calls is None or not calls.auto_reject or host is None:
            return call, None
        if self._clock.now() - call.data.timestamp > RINGS:
            return call, None
        self._background.post(f"reject:{self._session_id}", partial(self._reject, host, call))
        told = call.model_copy(
            update={"data": call.data.model_copy(update={"auto_rejected": True})}
        )
        if calls.text is None or call.data.is_group:
            return told, None
        return told, self._written(call, calls.text)

    def _written(self, call: CallReceived, text: str) -> DeferredRow | None:
        try:
            return self._answer(call, text)
        except ValueError:  # an odd caller is refused all the same
            log.warning("call.not_answered", session_id=self._session_id, call_id=call.data.call_id)
            return None

    async def _reject(self, host: SessionHost, call: CallReceived) -> None:
        data = call.data
        try:
            await host.request(RejectCall(call_id=data.call_id, caller=data.creator))
        except GatewayError as error:
            log.warning(
                "call.not_rejected",
                session_id=self._session_id,
                call_id=data.call_id,
                error_code=error.code,
            )
            self._rejected(has_left=False)
            return
        log.info("call.rejected", session_id=self._session_id, call_id=data.call_id)
        self._rejected(has_left=True)
