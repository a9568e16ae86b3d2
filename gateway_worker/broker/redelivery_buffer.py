"""Puts what a queue has got back into its old order, before anything of it is handed on.

A quorum queue (RabbitMQ 3.10) hands out first what it has got back, but puts behind that what it
gets back later. If a worker dies with a thousand messages, and then its successor that has taken
only the first hundred of them, those hundred come after the other nine hundred: commands after the
marker that says that they have gone by.

Each return is counted in the message (`x-delivery-count`), and a consumer only ever takes what is
in front. So of two messages the older one has been returned at least as often; if as often, it is
in front of the younger one. (Whoever takes the younger one takes the older one too, if that is in
front; if it is not, it has been returned once more already.) Sorted by that number, what a queue
has got back is in the order in which it was published, however often and wherever its consumers
died. But all of it must have come: the first message that was never handed out comes after it.
"""

from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

Message = TypeVar("Message")

_RETURNS: Final = "x-delivery-count"
_TURNS: Final = "x-acquired-count"
_COUNTS_TURNS: Final = (4, 3)
"""The RabbitMQ from which on each return is counted in the second, and not each in the first."""


class RedeliveryBuffer(Generic[Message]):
    """What has come on one channel, until all that the queue got back has.

    Attributes:
        is_done: Whether it has. From then on messages need not be added.
        come: How many messages were kept so far.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[int, Message]] = []
        self.is_done = False
        self.come = 0

    def add(self, message: Message, *, returns: int | None) -> list[Message]:
        """Keep a message, or return what can be handed on, in order.

        Args:
            message: The next one that has come.
            returns: How often it was given back; None if it was never handed out before.
        """
        if self.is_done:
            return [message]
        if returns is None:
            return [*self.finish(), message]
        self._kept.append((returns, message))
        self.come += 1
        return []

    def finish(self) -> list[Message]:
        """Return what was kept, in order: all has come, or no more can."""
        self.is_done = True
        self._kept.sort(key=lambda kept: -kept[0])
        kept, self._kept = self._kept, []
        return [message for _, message in kept]


def returns_of(headers: Mapping[str, Any], *, broker_version: tuple[int, ...]) -> int:
    """Return how often a message that was handed out before was given back, as the broker says.

    What a broker of this version does not count itself its sender has written there.

    Args:
        headers: The message's.
        broker_version: RabbitMQ's; empty if it is not known.
    """
    names = (_TURNS, _RETURNS) if broker_version >= _COUNTS_TURNS else (_RETURNS,)
    counts = (headers.get(name) for name in names)
    return next((count for count in counts if type(count) is int), 0)


def holds_nothing(messages: int, *, consumers: int) -> bool:
    """Tell whether a queue that has a consumer has handed everything out, by what the broker says.

    It says that there is neither a message nor a consumer where it does not know: the member that
    leads a quorum queue has not answered it in a quarter of a second (RabbitMQ 3.10), or is lost.

    Args:
        messages: How many wait, as the broker says.
        consumers: How many it has, likewise.
    """
    return not messages and consumers > 0
