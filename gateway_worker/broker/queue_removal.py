"""Removes the queues of workers that will not come back, once nothing is in them.

RabbitMQ deletes no quorum queue on condition that it is empty. So nothing may be on its way there:
the worker's own key leads elsewhere first, and all that its sessions get goes to whoever has them
now. Then the queue is consumed, for that alone shows that nothing is left: the broker calls a queue
empty, too, whose leader does not answer it.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from gateway_contracts import Topology
from gateway_worker.broker.subscription import Subscription
from gateway_worker.broker.topology import Declarer

log = structlog.get_logger(__name__)

_SECONDS: Final = 10.0
"""How long what is found in a queue may take to be dealt with."""
_PAUSE_SECONDS: Final = 0.1
_EMPTY_LOOKS: Final = 2
"""So many in a row have to find nothing, as where a queue has got something back."""


class QueueRemoval:
    """Removes queues of workers.

    Args:
        declarer: Asks for queues and deletes them.
        topology: The names.
        subscribe: Makes the subscription of one worker's queue.
        retire: Closes one for good and forgets what was unsettled.
    """

    def __init__(
        self,
        *,
        declarer: Declarer,
        topology: Topology,
        subscribe: Callable[[str], Subscription],
        retire: Callable[[Subscription], asyncio.Task[None]],
    ) -> None:
        self._declarer = declarer
        self._topology = topology
        self._subscribe = subscribe
        self._retire = retire

    async def remove(self, worker_id: str) -> bool:
        """Remove a worker's queue; False if it is still needed, as far as can be seen now.

        What is in it is dealt with first, like what a dead worker has left.

        Raises:
            DependencyError: The broker does not answer.
        """
        queue = self._topology.worker_queue(worker_id)
        if not await self._declarer.exists(queue):
            return True
        if await self._declarer.is_consumed(worker_id):
            return False
        await self._declarer.unbind_from(self._topology.worker_key(worker_id), worker_id)
        subscription = self._subscribe(worker_id)
        subscription.start()
        try:
            is_empty = await self._is_emptied(subscription)
        finally:
            await asyncio.wait({self._retire(subscription)})
        if not is_empty or not await self._delete(queue):
            log.warning("broker.queue_not_removed", queue=queue)
            return False
        log.info("broker.queue_removed", queue=queue)
        return True

    async def _is_emptied(self, subscription: Subscription) -> bool:
        """Consume a queue until nothing is in it, nor under way; False if that takes too long."""
        looks = 0
        try:
            async with asyncio.timeout(_SECONDS):
                while looks < _EMPTY_LOOKS:
                    if (await self._declarer.inspect(subscription.queue)).consumers > 1:
                        return False  # its worker is back
                    looks = looks + 1 if await subscription.is_emptied() else 0
                    await asyncio.sleep(_PAUSE_SECONDS)
        except TimeoutError:
            return False
        return True

    async def _delete(self, queue: str) -> bool:
        """Delete a queue that was just seen to be empty, once the consumer here is gone."""
        deadline = time.monotonic() + _SECONDS
        while (state := await self._declarer.inspect(queue)).consumers:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_PAUSE_SECONDS)
        if state.messages:
            return False
        await self._declarer.delete(queue)
        return True
