"""The queues of workers that have died, consumed by one that lives.

Several workers may attend the same queue; the broker hands its messages to one of them. The dead
worker itself, when it is back, waits in the same line, so whoever sees it alive dismisses its
queue.

Whoever's turn comes gets what the one before has left unsettled, and then what is younger. That
holds because each of them leaves the line by closing its channel. To cancel a consumer is not
enough: the next one would get what is younger at once, markers too, and the rest after it. So that
is only done where nobody else is in line (`Subscription`).

Each return counts as a delivery of all that goes back, and too many make dead letters. So a short
pause, as for a check of the database that has not been answered in time, is waited out.
"""

import asyncio
from collections.abc import Callable

import structlog

from gateway_worker.broker.subscription import Subscription

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 10.0
"""How long a pause lasts before another worker is to have what has come."""


class PeerQueues:
    """Subscriptions to other workers' queues.

    Args:
        subscribe: Makes the subscription of one worker's queue.
        retire: Closes one for good and forgets what was unsettled.
    """

    def __init__(
        self,
        *,
        subscribe: Callable[[str], Subscription],
        retire: Callable[[Subscription], asyncio.Task[None]],
    ) -> None:
        self._subscribe = subscribe
        self._retire = retire
        self._workers: set[str] = set()
        self._open: dict[str, Subscription] = {}
        self._is_allowed = self._is_paused = False
        self._giving_back: asyncio.TimerHandle | None = None

    @property
    def workers(self) -> frozenset[str]:
        """Whose queues are attended, also while none may be consumed."""
        return frozenset(self._workers)

    def attend(self, worker_id: str) -> None:
        """Consume a worker's queue too, from now on or as soon as that is allowed."""
        if worker_id not in self._workers:
            self._workers.add(worker_id)
            log.info("consumer.attending", worker=worker_id)
        self.apply(is_allowed=self._is_allowed, is_paused=self._is_paused)

    async def dismiss(self, worker_id: str) -> None:
        """Stop consuming a worker's queue; what is not settled is there again, in order."""
        if worker_id not in self._workers:
            return
        self._workers.discard(worker_id)
        log.info("consumer.dismissed", worker=worker_id)
        if subscription := self._open.pop(worker_id, None):
            await asyncio.wait({self._retire(subscription)})

    def apply(self, *, is_allowed: bool, is_paused: bool) -> None:
        """Open the queues or, so that somebody else gets their messages, close them.

        Args:
            is_allowed: Whether they may be consumed.
            is_paused: But nothing of them may be handed on for now; closed if that takes long.
        """
        self._is_allowed, self._is_paused = is_allowed, is_paused
        if self._giving_back is not None and not (is_allowed and is_paused):
            self._giving_back.cancel()
            self._giving_back = None
        if not is_allowed:
            self._close()
        elif is_paused:
            self._pause()
        else:
            self._open_all()

    def _open_all(self) -> None:
        for subscription in self._open.values():
            subscription.want()
        for worker_id in self._workers - self._open.keys():
            self._open[worker_id] = self._subscribe(worker_id)
            self._open[worker_id].start()

    def _pause(self) -> None:
        for subscription in self._open.values():
            subscription.refuse()
        if self._open and self._giving_back is None:
            loop = asyncio.get_running_loop()
            self._giving_back = loop.call_later(PAUSE_SECONDS, self._give_back)

    def _give_back(self) -> None:
        self._giving_back = None
        log.warning("consumer.attended_given_back", workers=sorted(self._open))
        self._close()

    def _close(self) -> None:
        while self._open:
            self._retire(self._open.popitem()[1])
