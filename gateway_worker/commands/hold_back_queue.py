"""Whose turn it is while a session moves: the commands of its queues in the order of its owners.

A session that went from worker A to B to C may have commands in three queues. Those in A's come
first, then those in B's, then those that come to C directly. Each of the former owners' queues is a
stage; `handover_path` says which one a command belongs to. A marker ends it; until it has come,
what is later waits here. Nothing is acknowledged while it waits.

A stage is over once its marker has come *and* every command that had its turn up to there has
ended. Until then its entry stays in the database: if this worker dies meanwhile, what it has
released and not executed is still in its queue, among what is later, and only the entry says to the
next owner that it has to wait for one and not for the other. An entry that goes with the marker
would let the next owner execute them in the order in which they arrived here.
"""

import math
import time
from collections.abc import Callable, Sequence
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


class HoldBackQueue(Generic[Item]):
    """The order of one session's commands at its present owner.

    Args:
        pending: The handovers that are not over, the oldest first.
        clock: Returns seconds; replaced in tests.
    """

    def __init__(
        self, *, pending: Sequence[PendingMarker], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._moved_at = clock()
        self._stages: list[_Stage[Item]] = [_Stage(marker.epoch) for marker in pending]
        self._direct: list[Item] = []
        self._unended: dict[Item, float] = {}

    @property
    def is_open(self) -> bool:
        """Whether every marker has come, so that nothing is held any more."""
        return all(stage.seen for stage in self._stages)

    @property
    def is_over(self) -> bool:
        """Whether every stage is over."""
        return not self._stages

    @property
    def held(self) -> int:
        """How many commands wait."""
        return len(self._direct) + sum(len(stage.held) for stage in self._stages)

    @property
    def idle_seconds(self) -> float:
        """For how long nothing has come, or had its turn, that goes before what waits."""
        return self._clock() - self._moved_at

    def holds(self, item: Item) -> bool:
        """Whether a command waits."""
        return item in self._direct or any(item in stage.held for stage in self._stages)

    def admit(self, item: Item, *, stage: int | None) -> bool:
        """Tell whether it is a command's turn; if not, keep it.

        Args:
            item: The command. One whose turn it is has to be told of by `end`.
            stage: The epoch of the handover that ended the queue it was first in; None if that is
                the present owner's own. One that is over is older than all that waits.
        """
        place = self._place(stage)
        if place <= self._turn:
            self._begin(item, place)
            self._moved_at = self._clock()
            return True
        self._unended.pop(item, None)
        (self._stages[place].held if place < len(self._stages) else self._direct).append(item)
        return False

    def pass_marker(self, epoch: int) -> list[Item]:
        """Note that a marker has come; returns the commands whose turn it is now, in order."""
        before = self._turn
        for stage in self._stages:
            if stage.epoch == epoch and not stage.seen:
                stage.seen = True
                self._moved_at = self._clock()
        released: list[Item] = []
        for place in range(before + 1, self._turn + 1):
            held = self._stages[place].held if place < len(self._stages) else self._direct
            for item in held:
                self._begin(item, place)
            released.extend(held)
            held.clear()
        return released

    def end(self, item: Item) -> None:
        """Note that a command has ended: it has an outcome, or will never have its turn."""
        self._unended.pop(item, None)

    def lose(self, item: Item) -> bool:
        """Note that a command has gone back to its queue; False if it had not had its turn.

        If it had, it may come after what has its turn later: every marker that has come
        has to come again, after it.
        """
        if self._unended.pop(item, None) is None:
            return False
        for stage in self._stages:
            stage.seen = False
        return True

    def forget_over(self) -> int | None:
        """Forget the stages that are over by now; returns the last one's epoch, if there is one."""
        first_unended = min(self._unended.values(), default=math.inf)
        over = 0
        while over < self._turn and self._stages[over].epoch < first_unended:
            over += 1
        if not over:
            return None
        last = self._stages[over - 1].epoch
        del self._stages[:over]
        return last

    def remove(self, item: Item) -> bool:
        """Take back one command, whose end is still to be told of; False if it does not wait."""
        for place, held in enumerate((*(stage.held for stage in self._stages), self._direct)):
            if item in held:
                held.remove(item)
                self._begin(item, place)
                return True
        return False

    def items(self) -> list[Item]:
        """Return everything that waits, in order."""
        return [item for stage in self._stages for item in stage.held] + self._direct

    def withdraw(self) -> list[Item]:
        """Take back everything that waits, in order."""
        items = self.items()
        for stage in self._stages:
            stage.held.clear()
        self._direct.clear()
        return items

    @property
    def _turn(self) -> int:
        """The place whose turn it is, together with all before it."""
        unseen = (place for place, stage in enumerate(self._stages) if not stage.seen)
        return next(unseen, len(self._stages))

    def _begin(self, item: Item, place: int) -> None:
        # What comes directly ends no stage.
        self._unended[item] = self._stages[place].epoch if place < len(self._stages) else math.inf

    def _place(self, stage: int | None) -> int:
        """Return the place of a stage among those that are not over; the owner's own is last."""
        if stage is None:
            return len(self._stages)
        epochs = [one.epoch for one in self._stages]
        return epochs.index(stage) if stage in epochs else 0
