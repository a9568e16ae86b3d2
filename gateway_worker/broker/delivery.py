"""One command as the broker handed it over, with the handles to settle it by."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from aio_pika.abc import AbstractIncomingMessage

from gateway_worker.broker.ack_writer import AckWriter
from gateway_worker.broker.headers import (
    ATTEMPT,
    CONTROL,
    EXCESS,
    FROM,
    HOP,
    HOPS,
    KEY,
    STAGE,
    traceparent_in,
)
from gateway_worker.broker.oversize import Cut
from gateway_worker.broker.room import Room
from gateway_worker.commands.ports import Excess, Refusal, Settlement
from gateway_worker.tenants.grants import EVERYTHING, Grant

Key = tuple[str, tuple[str | None, int | None, int | None], str, int]
"""Queue, the way to it (worker it was forwarded from, stage and last hop), message id, body's hash.

Two commands that share an id by mistake stay two. So do a command that a worker forwards and the
same one on its way back to that worker's queue: settling the first must not settle the second. And
so do two copies of a command that have different places in the order of its session: one that came
the short way waits for what is older, and must not take along the one whose turn that is.
"""


_EXCESSES: Mapping[str | None, Excess] = {one.value: one for one in Excess}


class Handle(NamedTuple):
    """What settles one message: a tag that is valid on one channel only."""

    acks: AckWriter
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
    the same command was published twice before its end: then one execution settles both messages.

    Args:
        message: The message as it first came.
        cut: What is known of the body if it was too large; the message has a stand-in for it then.
        handle: What settles it.
        key: What it is recognised by, or None if it has no id.
        queue: The queue it came from.
        origin: The worker whose queue that is; None for the shared one.
        settler: Carries settlements out.
        room: Where its body counts.
        grant: What its sender may do.
        excess: Why it is more than may wait here; None if it is not.
    """

    __slots__ = (
        "_origin",
        "_settler",
        "cut",
        "excess",
        "grant",
        "handles",
        "is_settled",
        "key",
        "message",
        "queue",
        "room",
    )

    def __init__(  # noqa: PLR0913 - all that is known of it
        self,
        *,
        message: AbstractIncomingMessage,
        cut: Cut | None = None,
        handle: Handle,
        key: Key | None,
        queue: str,
        origin: str | None,
        settler: Settler,
        room: Room,
        grant: Grant = EVERYTHING,
        excess: Excess | None = None,
    ) -> None:
        self.grant = grant
        self.room = room
        self.excess = excess
        self.message = message
        self.cut = cut
        self.handles = [handle]
        self.key = key
        self.queue = queue
        self.is_settled = False
        self._origin = origin
        self._settler = settler

    @property
    def deferred(self) -> None:
        """Always None: it has just come."""

    @property
    def body(self) -> bytes:
        """The raw body; only its beginning if it was too large to be read."""
        return self.message.body if self.cut is None else self.cut.head

    @property
    def size_bytes(self) -> int:
        """The size of the whole body."""
        return self.cut.size if self.cut is not None else len(self.message.body)

    @property
    def unassigned(self) -> bool:
        """Whether it came from the shared queue of sessions without an owner."""
        return self._origin is None

    @property
    def origin(self) -> str | None:
        """The worker whose queue it was taken from; None for the shared queue."""
        return self._origin

    @property
    def redelivered(self) -> bool:
        """Whether the broker had handed it out before."""
        return bool(self.message.redelivered)

    @property
    def routing_key(self) -> str:
        """The routing key it was published with."""
        return self.message.routing_key or ""

    @property
    def first_routing_key(self) -> str:
        """The routing key that its sender published it with, whatever way it has come since."""
        return _text(self.headers.get(KEY)) or self.routing_key

    @property
    def came_from(self) -> str | None:
        """The worker whose queue it was first forwarded from; None if it was not."""
        return came_from(self.message)

    @property
    def stage(self) -> int | None:
        """The change of owner that ended the time in whose queue it was first, as it says."""
        return stage(self.message)

    @property
    def hop(self) -> int | None:
        """The change of owner along which it was forwarded last; None if it was not."""
        return hop(self.message)

    @property
    def hops(self) -> int:
        """How often it was forwarded."""
        return self._count(HOPS)

    @property
    def control(self) -> str | None:
        """What it says if it is a message among workers; None for a command."""
        return _text(self.headers.get(CONTROL))

    @property
    def attempts_before(self) -> int:
        """How often it was tried before it waited in a retry tier."""
        return self._count(ATTEMPT)

    @property
    def message_id(self) -> str | None:
        """The AMQP message id, if it has one."""
        return self.message.message_id

    @property
    def traceparent(self) -> str | None:
        """The header of that name, if it is one."""
        return traceparent_in(self.message.headers)

    @property
    def message_type(self) -> str | None:
        """The AMQP type, if it has one."""
        return self.message.type

    @property
    def headers(self) -> dict[str, Any]:
        """The headers it came with."""
        return dict(self.message.headers)

    @property
    def attempts(self) -> int:
        """How often the broker has handed it out, this time included, as far as it says."""
        return self._count("x-delivery-count") + 1 if self.redelivered else 1

    def attach(self, handle: Handle) -> None:
        """Take the handle of a further message of this command; those of dead channels are void."""
        self.handles = [known for known in self.handles if not known.acks.is_closed]
        self.handles.append(handle)

    async def settle(self, settlement: Settlement, refusal: Refusal | None = None) -> None:
        """Acknowledge, dead-letter or give back. Bounded in time, never raises, idempotent."""
        if self.is_settled:
            return
        self.is_settled = True
        await self._settler.settle(self, settlement, refusal)

    def detach(self) -> None:
        """Have nothing come of a later settlement: the message is back in its queue."""
        self.is_settled = True

    def _count(self, name: str) -> int:
        # Whoever published it may have put anything there.
        value = self.headers.get(name)
        return int(value) if isinstance(value, int) and value > 0 else 0


def came_from(message: AbstractIncomingMessage) -> str | None:
    """Return the worker whose queue a message was first forwarded from, or None."""
    return _text(message.headers.get(FROM))


def stage(message: AbstractIncomingMessage) -> int | None:
    """Return the change of owner that ended the queue in which a message was first, or None."""
    return _epoch(message.headers.get(STAGE))


def hop(message: AbstractIncomingMessage) -> int | None:
    """Return the change of owner along which a message was forwarded last, or None."""
    return _epoch(message.headers.get(HOP))


def excess(message: AbstractIncomingMessage) -> Excess | None:
    """Return why a command was more than might wait at the worker that has sent it on, or None."""
    return _EXCESSES.get(_text(message.headers.get(EXCESS)))


def _epoch(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
