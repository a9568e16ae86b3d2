"""Sessions that move between workers while commands arrive: what is executed, and in which order.

The queues, the routing of the broker and the table of sessions are a model; who waits for whom is
decided by the real `Hold`. Everything that can come between does: a queue stands still, a command
goes into two queues while the bindings are moved, a worker dies with commands in hand or between a
confirm and its acknowledgement. A session moves on, or back, when its last move is through.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway_worker.commands.hold import Hold
from gateway_worker.sessions.ports import PendingMarker
from tests.property.support import run

WORKERS = ("a", "b", "c")
workers = st.sampled_from(WORKERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A command by its number, or the marker of an epoch, and the queue that it was first in."""

    number: int | None = None
    marker: int | None = None
    came_from: str | None = None


@dataclass(slots=True, kw_only=True)
class Queue:
    """A worker's queue: what waits, and what was handed out and is not acknowledged."""

    waiting: list[Message] = field(default_factory=list)
    in_hand: list[Message] = field(default_factory=list)


class Moving(RuleBasedStateMachine):
    """One session, three workers."""

    def __init__(self) -> None:
        super().__init__()
        self.queues = {worker: Queue() for worker in WORKERS}
        self.bound = {"a"}
        self.owner, self.epoch = "a", 1
        self.pending: list[PendingMarker] = []
        self.hold: Hold[Message] = Hold(pending=(), owner="a")
        self.to_do: list[Callable[[], None]] = []
        self.published = 0
        self.executed: list[int] = []

    # What happens.

    @rule(count=st.integers(1, 3))
    def publish(self, count: int) -> None:
        """The backend publishes; the broker puts a copy into each queue that is bound."""
        for _ in range(count):
            for worker in sorted(self.bound):
                self.queues[worker].waiting.append(Message(number=self.published))
            self.published += 1

    @precondition(lambda self: not self.pending and not self.to_do)
    @rule(to=workers, dies=st.booleans())
    def move(self, to: str, *, dies: bool) -> None:
        """The session gets another owner: its old one has given it away, or is dead."""
        if to == self.owner:
            return
        self.leave(dies=dies)
        self.epoch += 1
        self.pending.append(PendingMarker(epoch=self.epoch, queue_of=self.owner))
        self.owner = to
        self.hold = Hold(pending=tuple(self.pending), owner=to)
        self.to_do = self.adoption(to, list(self.pending))

    def leave(self, *, dies: bool) -> None:
        """Give back what the old owner holds: all at once, or in its order before what waits."""
        queue, held = self.queues[self.owner], self.hold.withdraw()
        assert sorted(map(id, held)) == sorted(map(id, queue.in_hand))
        queue.waiting[:0] = queue.in_hand if dies else held
        queue.in_hand.clear()

    def adoption(self, owner: str, pending: list[PendingMarker]) -> list[Callable[[], None]]:
        """Return what the new owner has to do, in this order; anything may come between."""
        others = [marker for marker in pending if marker.queue_of != owner]
        return [
            *(
                lambda marker=marker: self.put_marker(marker)
                for marker in pending
                if marker.queue_of == owner
            ),
            lambda: self.bound.add(owner),
            *(lambda marker=marker: self.bound.discard(marker.queue_of) for marker in others),
            *(lambda marker=marker: self.put_marker(marker) for marker in others),
        ]

    def put_marker(self, marker: PendingMarker) -> None:
        """Publish a marker into a former owner's queue."""
        self.queues[marker.queue_of].waiting.append(Message(marker=marker.epoch))

    @precondition(lambda self: self.to_do)
    @rule()
    def go_on_adopting(self) -> None:
        """The owner does its next step."""
        self.to_do.pop(0)()

    @precondition(lambda self: any(queue.waiting for queue in self.queues.values()))
    @rule(data=st.data(), acknowledges=st.sampled_from((True, True, True, False)))
    def work(self, data: st.DataObject, *, acknowledges: bool) -> None:
        """Somebody takes the next message of a queue; what he sends on may come again."""
        ready = [worker for worker in WORKERS if self.queues[worker].waiting]
        self.take(data.draw(st.sampled_from(ready)), acknowledges=acknowledges)

    def take(self, worker: str, *, acknowledges: bool = True) -> None:
        """Deal with the next message of a queue as the dispatcher does."""
        queue = self.queues[worker]
        message = queue.waiting[0]
        if worker != self.owner:
            onward = replace(message, came_from=message.came_from or worker)
            self.queues[self.owner].waiting.append(onward)
            if acknowledges:
                del queue.waiting[0]
            return
        del queue.waiting[0]
        if message.marker is not None:
            self.pending = [one for one in self.pending if one.epoch != message.marker]
            for released in self.hold.pass_marker(message.marker):
                self.forget(released)
                self.execute(released)
        elif self.hold.admit(message, queue_of=message.came_from or worker):
            self.execute(message)
        else:
            queue.in_hand.append(message)

    def forget(self, message: Message) -> None:
        """Acknowledge what was held."""
        in_hand = self.queues[self.owner].in_hand
        in_hand[:] = [one for one in in_hand if one is not message]

    def execute(self, message: Message) -> None:
        """Do it, unless it was done."""
        assert message.number is not None
        if message.number not in self.executed:
            self.executed.append(message.number)

    # What must be true.

    @invariant()
    def nothing_overtakes(self) -> None:
        """What is executed is the beginning of what was published, in its order."""
        assert self.executed == list(range(len(self.executed)))

    def teardown(self) -> None:
        """When everything has settled, everything is executed and nothing is held."""
        while self.to_do or any(queue.waiting for queue in self.queues.values()):
            while self.to_do:
                self.go_on_adopting()
            for worker in WORKERS:
                if self.queues[worker].waiting:
                    self.take(worker)
        assert self.executed == list(range(self.published))
        assert self.hold.is_over
        assert not any(queue.in_hand for queue in self.queues.values())


def test_commands_keep_their_order_while_their_session_moves() -> None:
    """Whatever stands still, dies or comes twice meanwhile."""
    run(Moving, examples=60, steps=40)
