"""Whether an account may begin new chats: what WhatsApp has refused is not asked for again soon.

WhatsApp counts each attempt of an account that it has forbidden to write to people whom it is not
in touch with, and does not tell how long that lasts. So after a refusal nobody tries, for longer
each time; the state is in the session's row, so that a restart of the worker is no new attempt.
"""

from collections.abc import Callable
from datetime import timedelta

import structlog

from gateway_worker.runtime.clock import Clock
from gateway_worker.sessions.changes import Reachout

log = structlog.get_logger(__name__)


class ReachoutHold:
    """The hold on new chats of one session.

    Args:
        session_id: For the log.
        state: As the session's row has it.
        clock: The time.
        initial_seconds: How long the first refusal holds them; each further one twice as long.
        maximum_seconds: The longest time.
        write: Records a new state.
        on_refused: Called with each refusal.
    """

    def __init__(
        self,
        *,
        session_id: str,
        state: Reachout,
        clock: Clock,
        initial_seconds: float,
        maximum_seconds: float,
        write: Callable[[Reachout], None],
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._session_id = session_id
        self._state = state
        self._clock = clock
        self._initial_seconds = initial_seconds
        self._maximum_seconds = maximum_seconds
        self._write = write
        self._on_refused = on_refused

    @property
    def was_refused(self) -> bool:
        """Whether WhatsApp has refused the last new chat."""
        return self._state.refusals > 0

    @property
    def seconds_left(self) -> float:
        """For how long no new chat may be begun; 0 if one may now."""
        until = self._state.until
        left = 0.0 if until is None else (until - self._clock.now()).total_seconds()
        return max(0.0, left)

    def refused(self) -> float:
        """Note a refusal; returns for how many seconds nobody tries again."""
        self._on_refused()
        refusals = self._state.refusals + 1
        seconds = min(self._initial_seconds * 2.0 ** (refusals - 1), self._maximum_seconds)
        self._put(Reachout(refusals=refusals, until=self._clock.now() + timedelta(seconds=seconds)))
        log.warning(
            "session.reachout_restricted",
            session_id=self._session_id,
            refusals=refusals,
            hold_seconds=seconds,
        )
        return seconds

    def accepted(self) -> None:
        """Note that WhatsApp has taken a new chat."""
        if self.was_refused:
            self._put(Reachout())

    def _put(self, state: Reachout) -> None:
        self._state = state
        self._write(state)
