"""Whose turn it is while a session moves: the commands of its queues in the order of its owners.

A session that went from worker A to B to C may have commands in three queues. Those in A's come
first, then those in B's, then those that come to C directly. Each of the former owners' queues is a
stage; `chain` says which one a command belongs to. A marker ends it; until it has come, what is
later waits here. Nothing is acknowledged while it waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway_worker.sessions.ports import PendingMarker

Item = TypeVar("Item")


@dataclass(slots=True)
class _Stage(Generic[Item]):
    """The commands of one former owner's queue, up to its marker."""

    epoch: int
    seen: bool = False
    held: list[Item] = field(default_factory=list)


class Hold(Generic[Item]):
    """The order of one session's commands at its present owner.

    Args:
        pending: The handovers whose markers have not come, the oldest first.
    """

    def __init__(self, *, pending: Sequence[PendingMarker]) -> None:
        self._stages: list[_Stage[Item]] = [_Stage(marker.epoch) for marker in pending]
        self._direct: list[Item] = []

    @property
    def is_over(self) -> bool:
        """Whether every marker has come, so that nothing is held any more."""
        return not self._stages

    @property
    def held(self) -> int:
        """How many commands wait."""
        return len(self._direct) + sum(len(stage.held) for stage in self._stages)

    def admit(self, item: Item, *, stage: int | None) -> bool:
        """Tell whether it is a command's turn; if not, keep it.

        Args:
            item: The command.
            stage: The epoch of the handover that ended the queue it was first in; None if that is
                the present owner's own. One that is over is older than all that waits.
        """
        place = self._place(stage)
        if place == 0:
            return True
        (self._stages[place].held if place < len(self._stages) else self._direct).append(item)
        return False

    def pass_marker(self, epoch: int) -> tuple[list[Item], int | None]:
        """Note that a marker has come.

        Returns:
            The commands whose turn it is now, in order, and the epoch of the last stage that is
            over now; None if none is, because an older one is not.
        """
        for stage in self._stages:
            if stage.epoch == epoch:
                stage.seen = True
        released: list[Item] = []
        passed: int | None = None
        while self._stages and self._stages[0].seen:
            passed = self._stages[0].epoch
            del self._stages[0]
            following = self._stages[0].held if self._stages else self._direct
            released.extend(following)
            following.clear()
        return released, passed

    def remove(self, item: Item) -> bool:
        """Take back one command; False if it does not wait here."""
        for held in (*(stage.held for stage in self._stages), self._direct):
            if item in held:
                held.remove(item)
                return True
        return False

    def withdraw(self) -> list[Item]:
        """Take back everything that waits, in order."""
        items = [item for stage in self._stages for item in stage.held] + self._direct
        for stage in self._stages:
            stage.held.clear()
        self._direct.clear()
        return items

    def _place(self, stage: int | None) -> int:
        """Return the place of a stage among those that are not over; the owner's own is last."""
        if stage is None:
            return len(self._stages)
        # Also if its marker has come already, before an older one: then it is a repetition.
        epochs = [one.epoch for one in self._stages]
        return epochs.index(stage) if stage in epochs else 0
