"""Whose turn it is while a session moves: the commands of its queues in the order of its owners.

A session that went from worker A to B to C may have commands in three queues. Those in A's come
first, then those in B's, then those that come to C directly. The end of each former owner's queue
is a marker; until it has come, what is later waits here. Nothing is acknowledged while it waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway_worker.sessions.ports import PendingMarker

Item = TypeVar("Item")


@dataclass(slots=True)
class _Stage(Generic[Item]):
    """The commands of one former owner's queue, up to its marker."""

    marker: PendingMarker
    seen: bool = False
    held: list[Item] = field(default_factory=list)


class Hold(Generic[Item]):
    """The order of one session's commands at its present owner.

    Args:
        pending: The handovers whose markers have not come, the oldest first.
        owner: The present owner, whose own queue comes last.
    """

    def __init__(self, *, pending: Sequence[PendingMarker], owner: str) -> None:
        self._owner = owner
        self._stages: list[_Stage[Item]] = [_Stage(marker) for marker in pending]
        self._direct: list[Item] = []

    @property
    def is_over(self) -> bool:
        """Whether every marker has come, so that nothing is held any more."""
        return not self._stages

    @property
    def held(self) -> int:
        """How many commands wait."""
        return len(self._direct) + sum(len(stage.held) for stage in self._stages)

    def admit(self, item: Item, *, queue_of: str | None, forwarded: bool = False) -> bool:
        """Tell whether it is a command's turn; if not, keep it.

        Args:
            item: The command.
            queue_of: The worker in whose queue it was first; None for a queue of nobody.
            forwarded: Whether it has come from there by another queue.
        """
        place = self._place(queue_of, forwarded=forwarded)
        if place == 0:
            return True
        (self._stages[place].held if place < len(self._stages) else self._direct).append(item)
        return False

    def pass_marker(self, epoch: int) -> list[Item]:
        """Note that a marker has come; returns the commands whose turn it is now, in order."""
        for stage in self._stages:
            if stage.marker.epoch == epoch:
                stage.seen = True
        released: list[Item] = []
        while self._stages and self._stages[0].seen:
            del self._stages[0]
            following = self._stages[0].held if self._stages else self._direct
            released.extend(following)
            following.clear()
        return released

    def withdraw(self) -> list[Item]:
        """Take back everything that waits, in order."""
        items = [item for stage in self._stages for item in stage.held] + self._direct
        for stage in self._stages:
            stage.held.clear()
        self._direct.clear()
        return items

    def _place(self, queue_of: str | None, *, forwarded: bool) -> int:
        """Return the stage that a command belongs to; the last one is the owner's own queue."""
        for index, stage in enumerate(self._stages):
            if stage.marker.queue_of == queue_of and not stage.seen:
                return index
        # A former owner whose queue is done with: a straggler, older than all that waits. The
        # former owner may be the present one, which got the session back.
        is_straggler = forwarded or (queue_of is not None and queue_of != self._owner)
        return 0 if is_straggler else len(self._stages)
