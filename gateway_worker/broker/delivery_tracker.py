"""Which commands are in work, and which were settled a while ago.

The broker hands a command out again whenever the connection to its consumer is lost, started or
not. Within one life of the process this is where such a redelivery is recognised: a command in
work gets the new handle, a settled one is acknowledged again. Across lives the inbox in the
database does it.
"""

import enum
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Final

from aio_pika.abc import AbstractIncomingMessage

from gateway_worker.broker.delivery import CommandDelivery, Handle, Key, came_from, hop, stage
from gateway_worker.tenants.grants import Grant

OVERHEAD_BYTES: Final = 4_096
"""What is in memory of a command beside its body."""


class Arrival(enum.Enum):
    """What a message turned out to be."""

    NEW = enum.auto()
    """To be handed on."""
    IN_WORK = enum.auto()
    """Its command is being executed; the delivery has its handle now."""
    SETTLED = enum.auto()
    """Its command was settled, but the broker has not heard of it."""


class DeliveryTracker:
    """Deliveries by message.

    Args:
        remembered: How many settled commands are remembered.
    """

    def __init__(self, *, remembered: int) -> None:
        self._remembered = remembered
        self._bytes = 0
        self._in_work: dict[Key, CommandDelivery] = {}
        self._anonymous: set[CommandDelivery] = set()
        self._settled: OrderedDict[Key, None] = OrderedDict()
        self._of_tenants: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return how many deliveries are in work."""
        return len(self._in_work) + len(self._anonymous)

    def of_tenant(self, tenant: str) -> int:
        """Return how many deliveries in work a tenant has sent."""
        return self._of_tenants[tenant]

    @property
    def cost_bytes(self) -> int:
        """About what the deliveries in work take in memory, before they are read."""
        return self._bytes + OVERHEAD_BYTES * len(self)

    def classify(
        self,
        message: AbstractIncomingMessage,
        handle: Handle,
        *,
        queue: str,
        sender: str | None = None,
    ) -> tuple[Arrival, Key | None]:
        """Recognise a message, and attach its handle to a command that is in work.

        Args:
            message: It.
            handle: What settles it.
            queue: Where it comes from.
            sender: Who has sent it, if that counts: the same words of another are another command.
        """
        message_id = message.message_id
        if not message_id:
            return Arrival.NEW, None
        way = (came_from(message), stage(message), hop(message))
        said = message.body if sender is None else (message.body, sender)
        key = (queue, way, message_id, hash(said))
        known = self._in_work.get(key)
        if known is not None and known.is_settled and not message.redelivered:
            # Published once more when its outcome was told already: that is wanted again.
            return Arrival.NEW, None
        if known is not None:
            known.attach(handle)
            return Arrival.IN_WORK, key
        # Only a redelivery: a command that was published again wants its outcome again.
        if message.redelivered and key in self._settled:
            return Arrival.SETTLED, key
        return Arrival.NEW, key

    def enter(self, delivery: CommandDelivery) -> None:
        """Note that a delivery is in work."""
        if (tenant := delivery.grant.tenant) is not None:
            self._of_tenants[tenant] += 1
        size = len(delivery.message.body)
        delivery.room.intake.hold(size)
        if delivery.excess is None:
            self._bytes += size
            delivery.room.waiting.add(sender_of(delivery.message, delivery.grant), size)
        if delivery.key is None:
            self._anonymous.add(delivery)
        else:
            self._in_work[delivery.key] = delivery

    def settle(self, delivery: CommandDelivery) -> None:
        """Note that a delivery is settled and must not be executed again."""
        self.forget(delivery)
        if delivery.key is None:
            return
        self._settled[delivery.key] = None
        self._settled.move_to_end(delivery.key)
        if len(self._settled) > self._remembered:
            self._settled.popitem(last=False)

    def forget(self, delivery: CommandDelivery) -> None:
        """Note that a delivery is in work no more, and new when it comes again."""
        if delivery.key is None:
            if delivery not in self._anonymous:
                return
            self._anonymous.remove(delivery)
        elif self._in_work.get(delivery.key) is delivery:
            del self._in_work[delivery.key]
        else:  # the same command has come again, and this is its forgotten past
            return
        size = len(delivery.message.body)
        delivery.room.intake.release(size)
        if delivery.excess is None:
            self._bytes -= size
            delivery.room.waiting.remove(sender_of(delivery.message, delivery.grant), size)
        if (tenant := delivery.grant.tenant) is not None:
            self._of_tenants[tenant] -= 1
            if not self._of_tenants[tenant]:
                del self._of_tenants[tenant]

    def detach(self, queue: str) -> int:
        """Forget what was taken from a queue and is there again; return how much that was.

        What is done with such a delivery later changes nothing; it is new when it comes again.
        """
        gone = [delivery for delivery in self._deliveries() if delivery.queue == queue]
        for delivery in gone:
            delivery.detach()
            self.forget(delivery)
        return len(gone)

    def _deliveries(self) -> Iterator[CommandDelivery]:
        yield from self._in_work.values()
        yield from self._anonymous


def sender_of(message: AbstractIncomingMessage, grant: Grant) -> str:
    """Return whose share of the bytes a body takes: a tenant's, or else its session's."""
    return grant.tenant or message.routing_key or ""
