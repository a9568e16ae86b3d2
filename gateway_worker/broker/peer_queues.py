"""The queues of workers that have died, consumed by one that lives.

Several workers may attend the same queue; the broker hands its messages to one of them. The dead
worker itself, when it is back, waits in the same line, so whoever sees it alive dismisses its
queue.

Whoever's turn comes gets what the one before has left unsettled, and then what is younger. That
holds because each of them leaves the line by closing its channel. To cancel a consumer is not
enough: the next one would get what is younger at once, markers too, and the rest after it. So that
is only done where nobody else is in line (`Subscription`).
"""

import asyncio
from collections.abc import Callable

import structlog

from gateway_worker.broker.subscription import Subscription

log = structlog.get_logger(__name__)


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
        self._is_allowed = False

    @property
    def workers(self) -> frozenset[str]:
        """Whose queues are attended, also while none may be consumed."""
        return frozenset(self._workers)

    def attend(self, worker_id: str) -> None:
        """Consume a worker's queue too, from now on or as soon as that is allowed."""
        if worker_id not in self._workers:
            self._workers.add(worker_id)
            log.info("consumer.attending", worker=worker_id)
        self.apply(is_allowed=self._is_allowed)

    async def dismiss(self, worker_id: str) -> None:
        """Stop consuming a worker's queue; what is not settled is there again, in order."""
        if worker_id not in self._workers:
            return
        self._workers.discard(worker_id)
        log.info("consumer.dismissed", worker=worker_id)
        if subscription := self._open.pop(worker_id, None):
            await asyncio.wait({self._retire(subscription)})

    def apply(self, *, is_allowed: bool) -> None:
        """Open the queues or, so that somebody else gets their messages, close them."""
        self._is_allowed = is_allowed
        if is_allowed:
            for worker_id in self._workers - self._open.keys():
                self._open[worker_id] = self._subscribe(worker_id)
                self._open[worker_id].start()
        else:
            while self._open:
                self._retire(self._open.popitem()[1])
