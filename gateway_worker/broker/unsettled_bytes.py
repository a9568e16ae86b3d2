"""What the bodies of unsettled commands take, and which command is too much.

How many commands are unsettled is bounded by prefetches, which grow with what has to wait. What
they take is not bounded by that: a command may have 256 KiB. So there is a bound in bytes, of which
one sender has a share. What is small is never refused for it, for its number bounds it.
"""

from typing import Final

from gateway_worker.broker.intake import SMALL_BYTES

SENDERS: Final = 4
"""One sender has the part of the bytes that it would have if there were so many."""


class UnsettledBytes:
    """Counts bytes of bodies by sender.

    Args:
        most: How many there may be.
        of_sender: How many of them one sender may have.

    Attributes:
        total: How many there are.
    """

    def __init__(self, *, most: int, of_sender: int) -> None:
        self._most = most
        self._most_of_sender = of_sender
        self._of_senders: dict[str, int] = {}
        self.total = 0

    def have_room(self, sender: str, size_bytes: int) -> bool:
        """Tell whether a body of a sender may be added."""
        return size_bytes <= SMALL_BYTES or (
            self.total + size_bytes <= self._most
            and self._of_senders.get(sender, 0) + size_bytes <= self._most_of_sender
        )

    def add(self, sender: str, size_bytes: int) -> None:
        """Count a body, whether there is room for it or not."""
        self.total += size_bytes
        self._of_senders[sender] = self._of_senders.get(sender, 0) + size_bytes

    def remove(self, sender: str, size_bytes: int) -> None:
        """Count a body no more."""
        self.total -= size_bytes
        left = self._of_senders.get(sender, 0) - size_bytes
        if left > 0:
            self._of_senders[sender] = left
        else:
            self._of_senders.pop(sender, None)
