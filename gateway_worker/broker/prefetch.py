"""How many messages of one queue may be unsettled, and when to replace a consumer to change it.

AMQP fixes that number for each consumer when it starts. To change it, another consumer takes the
place of the first on the same channel; what the first has handed out stays unsettled. That may only
be while the prefetch is full: what a quorum queue (RabbitMQ 3.10) has sent to a consumer that is
cancelled before it comes goes back, and comes after younger messages.

There is a second reason to take more. Of what a quorum queue has got back nothing can be handed on
before all of it has come (`redelivery_buffer`). So as long as everything that comes is a
redelivery, the prefetch grows, each time by as much as has come.
"""

WIDEST = 65_000
"""AMQP has 16 bits for it."""


class Prefetch:
    """Counts what is unsettled on one channel after another.

    Args:
        size: How many messages may be unsettled.
        follows: Whether it grows with redeliveries; only for a queue's only consumer.
    """

    def __init__(self, *, size: int, follows: bool) -> None:
        self._size = size
        self._follows = follows
        self.reset()

    @property
    def size(self) -> int:
        """How many messages may be unsettled."""
        return self._size

    @property
    def unsettled(self) -> int:
        """How many messages are unsettled on this channel."""
        return self._current + self._older

    @property
    def is_outdated(self) -> bool:
        """Whether another consumer should take the place of the present one."""
        return self._is_outdated

    @property
    def is_full(self) -> bool:
        """Whether the broker can send nothing more to the present consumer, and all has come."""
        return 0 < self._granted <= self._current

    def reset(self) -> None:
        """Begin with a new channel, on which nothing is unsettled."""
        self._current = self._older = 0
        self._last_tag = self._boundary = 0
        self._granted = 0
        self._is_following = self._follows
        self._come = self._given_back = 0
        self._is_full_of_old = False
        self._is_outdated = self._is_settled_down = False

    def resize(self, size: int) -> None:
        """Change the size."""
        if size != self._size:
            self._size = size
            self._is_outdated = self._granted > 0

    def grant(self) -> int:
        """Return how many messages the next consumer may have unsettled, and count from there."""
        self._older, self._current = self.unsettled, 0
        self._boundary = self._last_tag
        room = self._size - self._older
        if self._is_settled_down:
            room = self._size
        elif self._is_full_of_old:
            room = self._given_back
        self._granted = max(1, min(room, WIDEST))
        self._come = 0
        self._is_outdated = self._is_settled_down = self._is_full_of_old = False
        return self._granted

    def delivered(self, tag: int, *, redelivered: bool) -> None:
        """Count a message that has come."""
        self._last_tag = tag
        self._current += 1
        self._come += 1
        self._given_back += 1
        self._is_following &= redelivered
        if self._is_following and self._come >= self._granted and self.unsettled < WIDEST:
            self._is_outdated = self._is_full_of_old = True

    def settled(self, tag: int) -> None:
        """Count a message that is done with."""
        if tag > self._boundary:
            self._current -= 1
        else:
            self._older -= 1
        if not self._is_outdated and self._granted < self._size:
            in_reach = self._granted + self._older
            self._is_settled_down = self._is_outdated = in_reach <= self._size // 2


def wide_enough(normal: int, held: int, *, now: int) -> int:
    """Return the size of a prefetch that so many held messages leave room in.

    It doubles, and only grows while anything is held: each change needs another consumer, and the
    broker keeps few consumers of a channel in order.
    """
    if held <= 0:
        return normal
    size = max(normal, now)
    while size < normal + held:
        size *= 2
    return min(size, WIDEST)
