"""Looks again and again whether what was made at the broker is still there, and makes it again.

Exchanges and queues can be asked for. Bindings cannot: so now and then a message is sent the way a
session's commands go. One that comes out elsewhere, or back as nobody's, shows that its binding is
gone. Whatever worker gets it passes it on to the one that has sent it.
"""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import orjson
import structlog
from aio_pika.abc import AbstractIncomingMessage

from gateway_contracts import Topology
from gateway_worker.broker.headers import CONTROL, PROBE
from gateway_worker.broker.publisher import Publisher
from gateway_worker.broker.stats import Counters
from gateway_worker.broker.topology import Declarer
from gateway_worker.errors import ConfigurationError, DependencyError, GatewayError

log = structlog.get_logger(__name__)

PROBED_AT_ONCE = 50
PATIENCE_LOOKS = 10
"""After so many looks probes that have not come back are sent again: a paused worker has them."""


class Upkeep:
    """Keeps what a worker needs at the broker in place.

    Args:
        declarer: Makes it.
        publisher: Sends the probes.
        topology: The names.
        worker_id: This worker.
        counters: Where what was mended is counted.

    Attributes:
        problem: What cannot be mended from here, in words; None if there is nothing.
    """

    def __init__(
        self,
        *,
        declarer: Declarer,
        publisher: Publisher,
        topology: Topology,
        worker_id: str,
        counters: Counters,
    ) -> None:
        self._declarer = declarer
        self._publisher = publisher
        self._worker_id = worker_id
        self._worker_key = topology.worker_key(worker_id)
        self._counters = counters
        self._outstanding = 0
        self._looks = 0
        self._after = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self.problem: str | None = None

    async def look(self, *, may_probe: bool) -> None:
        """Look once, and mend what is gone. Never raises.

        Args:
            may_probe: Whether commands come in, so that probes come back.
        """
        try:
            gone = await self._declarer.missing()
            if gone:
                log.error("broker.objects_lost", names=gone)
                self._declarer.invalidate()
            await self._declarer.ensure()
            # Also when nothing seems to be gone: what binds the shared queues cannot be asked for.
            await self._declarer.assert_shared()
            self._counters.mended += len(gone)
            self.problem = None
        except ConfigurationError as error:
            self.problem = error.detail
            log.error("broker.objects_changed", reason=error.detail)  # noqa: TRY400 - it says all
        except DependencyError as error:
            log.warning("broker.not_looked_at", reason=error.detail)
            return
        if may_probe:
            await self._probe()

    async def stop(self) -> None:
        """End what is under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def take(self, message: AbstractIncomingMessage, *, origin: str | None) -> bool:
        """Take a message if it is a probe; False if it is for the dispatcher.

        Args:
            message: One that a worker has published.
            origin: In whose queue it was; None for that of sessions without an owner.
        """
        if message.headers.get(CONTROL) != PROBE:
            return False
        said = _said(message.body)
        worker, session = str(said.get("worker")), str(said.get("session"))
        if worker == self._worker_id:
            self._outstanding = max(0, self._outstanding - 1)
            if origin is None or message.routing_key == self._worker_key:
                self._begin(self._mend(session), name=f"mend:{session}")
        elif origin is None and message.routing_key == session:
            self._begin(self._pass_on(worker, message.body), name=f"probe:{worker}")
        return True

    async def _probe(self) -> None:
        """Send probes for some sessions, the next ones each time."""
        self._looks += 1
        if self._outstanding and self._looks % PATIENCE_LOOKS:
            return
        self._outstanding = 0
        for session_id in tuple(islice(self._next_sessions(), PROBED_AT_ONCE)):
            self._outstanding += 1  # before: it may be back before it is confirmed
            try:
                await self._publisher.probe(session_id, worker_id=self._worker_id)
            except GatewayError as error:
                self._outstanding = max(0, self._outstanding - 1)
                log.warning("broker.not_probed", reason=error.detail)
                return
            self._after = session_id

    def _next_sessions(self) -> Iterator[str]:
        sessions = sorted(self._declarer.sessions)
        yield from (session for session in sessions if session > self._after)
        yield from (session for session in sessions if session <= self._after)

    async def _mend(self, session_id: str) -> None:
        if await self._declarer.bind_again(session_id):
            self._counters.mended += 1
            log.error("broker.binding_lost", session_id=session_id)

    async def _pass_on(self, worker_id: str, body: bytes) -> None:
        await self._publisher.send_peer_message(PROBE, worker_id=worker_id, body=body)

    def _begin(self, work: Any, *, name: str) -> None:
        async def run() -> None:
            try:
                await work
            except GatewayError as error:
                log.warning("broker.not_mended", reason=error.detail)

        task = asyncio.create_task(run(), name=f"broker:{name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _said(body: bytes) -> Mapping[str, Any]:
    try:
        said = orjson.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
