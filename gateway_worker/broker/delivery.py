"""One command as the broker handed it over, with the handles to settle it by."""

from typing import Any, NamedTuple, Protocol

from aiormq.abc import DeliveredMessage

from gateway_worker.broker.receipts import Receipts
from gateway_worker.commands.ports import Refusal, Settlement


class Handle(NamedTuple):
    """What settles one message: a tag that is valid on one channel only."""

    receipts: Receipts
    tag: int


class Settler(Protocol):
    """Carries a settlement out."""

    async def settle(
        self, delivery: "CommandDelivery", settlement: Settlement, refusal: Refusal | None
    ) -> None:
        """Settle every message of the delivery. Never raises."""
        ...


class CommandDelivery:
    """A command in work (the dispatcher's `Delivery`).

    Usually there is one handle. There is another one instead after a redelivery, and one more when
    the same command was published twice: then one execution settles both messages.

    Args:
        message: The message as it first came.
        handle: What settles it.
        key: What it is recognised by, or None if it has no id.
        queue: The queue it came from.
        unassigned: Whether that is the shared queue of sessions without an owner.
        settler: Carries settlements out.
    """

    __slots__ = ("_settler", "_unassigned", "handles", "is_settled", "key", "message", "queue")

    def __init__(
        self,
        *,
        message: DeliveredMessage,
        handle: Handle,
        key: tuple[str, int] | None,
        queue: str,
        unassigned: bool,
        settler: Settler,
    ) -> None:
        self.message = message
        self.handles = [handle]
        self.key = key
        self.queue = queue
        self.is_settled = False
        self._unassigned = unassigned
        self._settler = settler

    @property
    def body(self) -> bytes:
        """The raw body."""
        return self.message.body

    @property
    def unassigned(self) -> bool:
        """Whether it came from the shared queue of sessions without an owner."""
        return self._unassigned

    @property
    def redelivered(self) -> bool:
        """Whether the broker had handed it out before."""
        return bool(self.message.redelivered)

    @property
    def routing_key(self) -> str:
        """The routing key it was published with."""
        return self.message.routing_key or ""

    @property
    def headers(self) -> dict[str, Any]:
        """The headers it came with."""
        return dict(self.message.header.properties.headers or {})

    @property
    def attempts(self) -> int:
        """How often the broker has handed it out, this time included, as far as it says."""
        count = self.headers.get("x-delivery-count", 0)
        return (count if isinstance(count, int) else 0) + 1

    def attach(self, handle: Handle) -> None:
        """Take the handle of a further message of this command; those of dead channels are void."""
        self.handles = [known for known in self.handles if not known.receipts.is_closed]
        self.handles.append(handle)

    async def settle(self, settlement: Settlement, refusal: Refusal | None = None) -> None:
        """Acknowledge, dead-letter or give back. Bounded in time, never raises, idempotent."""
        if self.is_settled:
            return
        self.is_settled = True
        await self._settler.settle(self, settlement, refusal)
