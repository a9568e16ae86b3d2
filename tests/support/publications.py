"""What a worker publishes to workers and of itself; the port tests hold it against the broker."""

import uuid
from collections import defaultdict
from dataclasses import dataclass

from gateway_contracts.envelope import WorkerEventEnvelope
from gateway_worker.commands.forwarding import CommandForwarder
from gateway_worker.commands.ports import Delivery, Excess
from gateway_worker.errors import DependencyError
from gateway_worker.health.capacity import CapacityEvents
from gateway_worker.health.heartbeat import WorkerEvents
from gateway_worker.sessions.peer_messages import PeerMessages


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What comes to a worker.

    Attributes:
        kind: What a peer message says; None for a command.
        stage: What a command that was passed on says of the queue that it was first in.
        hop: What it says of the way that it came.
        excess: Why it was more than might wait; None if it was not.
    """

    body: bytes
    message_id: str | None
    kind: str | None = None
    stage: int | None = None
    hop: int | None = None
    excess: Excess | None = None


class MemoryPublications(PeerMessages, CommandForwarder, WorkerEvents, CapacityEvents):
    """Keeps what is published. Further faults are for who derives.

    Attributes:
        is_away: Whether there is nobody to publish to.
        to_workers: What was published to each worker, in order.
        told: What the worker has said of itself, in order.
    """

    def __init__(self) -> None:
        self.is_away = False
        self.to_workers: defaultdict[str, list[Published]] = defaultdict(list)
        self.told: list[WorkerEventEnvelope] = []

    async def send_peer_message(
        self, kind: str, *, worker_id: str, body: bytes, message_id: str | None = None
    ) -> None:
        """Keep it for that worker."""
        self._check()
        message = Published(body=body, message_id=message_id or uuid.uuid4().hex, kind=kind)
        self.to_workers[worker_id].append(message)

    async def pass_on(
        self, delivery: Delivery, *, worker_id: str, stage: int | None, hop: int
    ) -> None:
        """Keep it for that worker."""
        self._check()
        self.to_workers[worker_id].append(
            Published(
                body=delivery.body,
                message_id=delivery.message_id,
                stage=stage,
                hop=hop,
                excess=delivery.excess,
            )
        )

    async def publish_worker_event(self, message: WorkerEventEnvelope) -> None:
        """Keep it."""
        self._check()
        self.told.append(message)

    def _check(self) -> None:
        if self.is_away:
            raise DependencyError("away")
