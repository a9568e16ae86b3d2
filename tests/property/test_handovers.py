"""Sessions that move between workers while commands arrive: what is executed, and in which order.

The queues, the routing of the broker and the table of sessions are a model; who waits for whom is
decided by the real `HoldBackQueue`, and where everything goes by the real `handover_path`.
Everything that can come between does: a queue stands still, a command goes into two queues while
the bindings are moved, a backend publishes one again, the session moves on before its last move is
through, its owner does not hear of that, a worker dies between any two steps with a backlog that it
has taken and not dealt with, a forwarder after its publish and before its acknowledgement, and what
it did comes again.

A worker deals with what it has taken in the order in which that came, one at a time; what it takes
and what it does are steps of their own, so that it dies, loses the session or is relieved with a
backlog in between. That a queue gives what it gets back in its old order is the consumer's to see
to (`test_redelivery_buffer.py`), and so is that it has got all of it back before somebody else gets
anything (`tests/integration/broker/test_handovers.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway_worker.commands.handover_path import (
    Step,
    Way,
    find_entry,
    next_step,
    next_step_of_marker,
)
from gateway_worker.commands.hold_back_queue import HoldBackQueue
from gateway_worker.sessions.ports import PendingMarker, Whereabouts
from tests.property.support import run

WORKERS = ("a", "b", "c")
ROUNDS = 2000
workers = st.sampled_from(WORKERS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Message:
    """A command by its number, or the marker of an epoch, and what it says of its way."""

    number: int | None = None
    marker: int | None = None
    came_from: str | None = None
    stage: int | None = None
    hop: int | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Task:
    """What a worker has taken from a queue and not settled.

    Attributes:
        queue: Whose queue that is.
        messages: The message, and further copies of it that came while it was not settled.
        gone: The queue has it again: what is done with it here changes nothing there.
    """

    queue: str
    messages: list[Message]
    gone: bool = False

    @property
    def message(self) -> Message:
        """The one that came first."""
        return self.messages[0]


@dataclass(slots=True, kw_only=True)
class Queue:
    """A worker's queue.

    Attributes:
        reader: Who has its messages.
        waiting: What was not handed out.
        unsettled: What was, in its order, as far as the broker knows: not dealt with, held, or done
            with by somebody whose acknowledgement has not arrived.
    """

    reader: str
    waiting: list[Message] = field(default_factory=list)
    unsettled: list[Message] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Seat:
    """What a worker knows of a session that it takes for its own."""

    where: Whereabouts
    hold: HoldBackQueue[Task]


class Moving(RuleBasedStateMachine):
    """One session, three workers."""

    def __init__(self) -> None:
        super().__init__()
        self.queues = {worker: Queue(reader=worker) for worker in WORKERS}
        self.lanes: dict[str, list[Task]] = {worker: [] for worker in WORKERS}
        self.tasks: list[Task] = []
        self.bound = {"a"}
        self.where = Whereabouts(worker_id="a", epoch=1)
        self.seats = {"a": Seat(where=self.where, hold=HoldBackQueue(pending=()))}
        self.to_do: list[Callable[[], None]] = []
        self.published = 0
        self.executed: list[int] = []

    @property
    def owner(self) -> str:
        """Who has the session."""
        return _owner(self.where)

    # What happens.

    @rule(count=st.integers(1, 3))
    def publish(self, count: int) -> None:
        """The backend publishes; the broker puts a copy into each queue that is bound."""
        for _ in range(count):
            self.route(self.published)
            self.published += 1

    @precondition(lambda self: self.published)
    @rule(data=st.data())
    def publish_again(self, data: st.DataObject) -> None:
        """The backend repeats one of the last commands: it is to have the place of the first."""
        self.route(data.draw(st.integers(max(0, self.published - 4), self.published - 1)))

    def route(self, number: int) -> None:
        """Put a command into each queue that is bound."""
        for worker in sorted(self.bound):
            self.queues[worker].waiting.append(Message(number=number))

    @rule(to=workers, end=st.sampled_from(("dies", "knows", "does not know")))
    def move(self, to: str, end: str) -> None:
        """The session gets another owner: its old one is dead, has given it away, or stood still.

        If it is the same one, that was dead for so short a time that nobody has taken over.
        """
        owner = self.owner
        epoch, pending = self.where.epoch + 1, self.where.pending
        if to != owner:
            pending = (*pending, PendingMarker(epoch=epoch, queue_of=owner))
        self.where = Whereabouts(worker_id=to, epoch=epoch, pending=pending)
        if end == "dies" or to == owner:
            self.die(owner)
        elif end == "knows":
            self.leave(owner)
        if to in self.seats:  # it does not know yet that it had lost the session before
            self.leave(to)
        self.seats[to] = Seat(where=self.where, hold=HoldBackQueue(pending=pending))
        self.to_do = self.adoption(to, pending)

    @rule(worker=workers)
    def die(self, worker: str) -> None:
        """Kill a worker; it is there again at once, and knows of nothing.

        An owner whose sessions nobody takes over comes back with the next epoch.
        """
        if worker == self.owner and worker in self.seats:
            self.seats.pop(worker)
            self.move(worker, "dies")
            return
        self.seats.pop(worker, None)
        self.suspend(worker)
        self.lanes[worker].clear()

    @rule(worker=workers)
    def suspend(self, worker: str) -> None:
        """A worker gives back all that it has taken: it has no lease just now, but it lives."""
        for name, queue in self.queues.items():
            if queue.reader == worker:
                self.relieve(name, by=name)

    @rule(name=workers, by=workers)
    def relieve(self, name: str, by: str) -> None:
        """Somebody else has a queue from now on, or its own worker has it again."""
        queue = self.queues[name]
        queue.waiting[:0] = queue.unsettled
        queue.unsettled.clear()
        queue.reader = by
        for task in self.tasks:
            task.gone |= task.queue == name
        self.tasks = [task for task in self.tasks if not task.gone]

    def leave(self, worker: str) -> None:
        """Send on what is held, before anything else of the queue, and know nothing any more."""
        if (seat := self.seats.pop(worker, None)) is not None:
            for task in seat.hold.withdraw():
                self.act(worker, task)

    def adoption(self, owner: str, pending: Sequence[PendingMarker]) -> list[Callable[[], None]]:
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

    @precondition(lambda self: not self.to_do and self.where.pending)
    @rule()
    def remind(self) -> None:
        """The owner has waited for long: it does everything once more."""
        self.to_do = self.adoption(self.owner, self.where.pending)

    @rule(worker=workers)
    def bind_again(self, worker: str) -> None:
        """A former owner that has not heard of it gets a new connection and declares its bindings.

        What comes into its queue from then on comes to the owner as well. It takes a while until a
        worker that was cut off is back, so the marker has been there.
        """
        entries = (one for one in self.where.pending if one.queue_of == worker)
        if worker != self.owner and all(one.left for one in entries):
            self.bound.add(worker)

    @precondition(lambda self: any(queue.waiting for queue in self.queues.values()))
    @rule(data=st.data(), count=st.integers(1, 4))
    def take(self, data: st.DataObject, count: int) -> None:
        """A queue hands its next messages out; its reader has them in its lane."""
        ready = [name for name in WORKERS if self.queues[name].waiting]
        name = data.draw(st.sampled_from(ready))
        for _ in range(min(count, len(self.queues[name].waiting))):
            self.hand_out(name)

    @precondition(lambda self: any(self.lanes.values()))
    @rule(data=st.data(), count=st.integers(1, 4), acknowledges=st.booleans())
    def work(self, data: st.DataObject, count: int, *, acknowledges: bool) -> None:
        """A worker deals with what it has; without its acknowledgements that comes again."""
        worker = data.draw(st.sampled_from([name for name in WORKERS if self.lanes[name]]))
        for _ in range(min(count, len(self.lanes[worker]))):
            self.deal(worker, acknowledges=acknowledges)

    # What the workers do.

    def hand_out(self, name: str) -> None:
        """Take the next message of a queue, as the consumer and its tracker do."""
        queue = self.queues[name]
        message = queue.waiting.pop(0)
        queue.unsettled.append(message)
        same = (task for task in self.tasks if task.queue == name and is_same(task, message))
        if (task := next(same, None)) is not None:
            task.messages.append(message)
            return
        task = Task(queue=name, messages=[message])
        self.tasks.append(task)
        self.lanes[queue.reader].append(task)

    def deal(self, worker: str, *, acknowledges: bool = True) -> bool:
        """Deal with what is first in a worker's lane; False if that has to wait."""
        task = self.lanes[worker].pop(0)
        if not task.gone:
            return self.act(worker, task, acknowledges=acknowledges)
        seat = self.seats.get(worker)
        if seat is not None:
            seat.hold.lose(task)
        return True

    def act(self, by: str, task: Task, *, acknowledges: bool = True) -> bool:
        """Do what the dispatcher does with a delivery; False if it has to wait."""
        if task.gone:
            return True
        message = task.message
        where, step = self.look(by, task)
        owner, seat = _owner(where), self.seats.get(by)
        if step is not None and step.worker_id == owner == task.queue != by:
            self.lanes[by].insert(0, task)  # its owner is dead, and nobody has the session yet
            return False
        released: list[Task] = []
        if step is not None and not step.worker_id == owner == by == task.queue:
            self.send_on(task, step)
        elif step is not None and message.marker is not None and seat is not None:
            released = self.pass_marker(seat, message.marker)
        elif step is not None and seat is not None:
            if not seat.hold.admit(task, stage=step.stage):
                return True
            if seat.where.epoch != self.where.epoch:  # it cannot: it is not the owner any more
                self.leave(by)
                return self.act(by, task, acknowledges=acknowledges)
            self.execute(message)
            seat.hold.end(task)
            self.forget_over(seat)
        if acknowledges:
            self.settle(task)
        self.tasks = [one for one in self.tasks if one is not task]
        self.lanes[by][:0] = released
        return True

    def pass_marker(self, seat: Seat, epoch: int) -> list[Task]:
        """Note that a marker has come; return what has waited for it."""
        released = seat.hold.pass_marker(epoch)
        for gone in (one for one in released if one.gone):
            seat.hold.end(gone)
        self.forget_over(seat)
        return released

    def look(self, by: str, task: Task) -> tuple[Whereabouts, Step | None]:
        """Find out where a message goes, as `CommandRouter` does, and flush before it."""
        worker, message = task.queue, task.message
        way = Way(
            queue_of=worker, came_from=message.came_from, stage=message.stage, hop=message.hop
        )
        known_to = max(message.stage or 0, message.hop or 0)
        seat = self.seats.get(by)
        is_fresh = seat is None or message.marker is not None or known_to > seat.where.epoch
        where = self.where if is_fresh or seat is None else seat.where
        if message.marker is None and not is_fresh:
            step = next_step(way, _owner(where), where)
            is_fresh = not step.worker_id == by == worker
            where = self.where if is_fresh else where
        if is_fresh and seat is not None:
            if seat.where.epoch < self.where.epoch:
                self.leave(by)
            else:
                seat.where = self.where
        if message.marker is None:
            return where, next_step(way, _owner(where), where)
        entry = find_entry(message.marker, where.pending)
        if entry is not None and message.hop is None:
            self.note_left(message.marker)
        return where, next_step_of_marker(way, message.marker, _owner(where), where)

    def note_left(self, epoch: int) -> None:
        """Note in the table that a marker has come out of its queue."""
        entries = self.where.pending
        left = tuple(replace(one, left=True) if one.epoch == epoch else one for one in entries)
        self.where = replace(self.where, pending=left)

    def send_on(self, task: Task, step: Step) -> None:
        """Put a message into the next queue."""
        message = task.message
        self.queues[step.worker_id].waiting.append(
            replace(
                message,
                came_from=message.came_from or task.queue,
                stage=step.stage,
                hop=step.hop,
            )
        )
        if step.stage is None and message.hop is None and task.queue != self.owner:
            self.bound.discard(task.queue)

    def forget_over(self, seat: Seat) -> None:
        """Note in the table which handovers are over."""
        over = seat.hold.forget_over()
        if over is not None and seat.where.epoch == self.where.epoch:
            left = tuple(one for one in self.where.pending if one.epoch > over)
            self.where = seat.where = replace(self.where, pending=left)

    def execute(self, message: Message) -> None:
        """Do it, unless it was done."""
        assert message.number is not None
        if message.number not in self.executed:
            self.executed.append(message.number)

    def settle(self, task: Task) -> None:
        """Acknowledge."""
        unsettled = self.queues[task.queue].unsettled
        unsettled[:] = [one for one in unsettled if one not in task.messages]

    # What must be true.

    @invariant()
    def nothing_overtakes(self) -> None:
        """What is executed is the beginning of what was published, in its order."""
        assert self.executed == list(range(len(self.executed)))

    def teardown(self) -> None:
        """When everything has settled, everything is executed and nothing is held."""
        for worker in set(self.seats) - {self.owner}:
            self.leave(worker)
        for name in WORKERS:
            self.relieve(name, by=name)
        for _ in range(ROUNDS):
            while self.to_do:
                self.go_on_adopting()
            for name in WORKERS:
                if self.queues[name].waiting:
                    self.hand_out(name)
                if self.lanes[name]:
                    self.deal(name)
            if not self.is_busy() and self.where.pending:
                self.remind()
            if not self.is_busy():
                break
        assert self.executed == list(range(self.published))
        assert self.seats[self.owner].hold.is_over
        assert not self.where.pending
        assert not self.is_busy()

    def is_busy(self) -> bool:
        """Whether anything is left to do."""
        waiting = any(queue.waiting for queue in self.queues.values())
        return bool(self.to_do) or waiting or any(self.lanes.values())


def is_same(task: Task, message: Message) -> bool:
    """Whether the tracker takes a message for a further copy of what is not settled."""
    first = task.message
    return (first.number, first.marker, first.came_from, first.stage, first.hop) == (
        message.number,
        message.marker,
        message.came_from,
        message.stage,
        message.hop,
    )


def _owner(where: Whereabouts) -> str:
    assert where.worker_id is not None
    return where.worker_id


def test_commands_keep_their_order_while_their_session_moves() -> None:
    """Whatever stands still, dies or comes twice meanwhile, however often it moves."""
    run(Moving, examples=500, steps=60)


def test_what_was_released_and_not_executed_keeps_its_order_at_the_next_owner() -> None:
    """The markers come in the wrong order, the oldest releases all, and then the owner dies."""
    moving = Moving()
    moving.where = Whereabouts(
        worker_id="b",
        epoch=4,
        pending=tuple(PendingMarker(epoch=epoch, queue_of="c", left=True) for epoch in (2, 3, 4)),
    )
    moving.bound = {"b"}
    moving.seats = {"b": Seat(where=moving.where, hold=HoldBackQueue(pending=moving.where.pending))}
    moving.published = 3
    moving.queues["b"].waiting = [
        Message(number=2, came_from="c", stage=4, hop=4),
        Message(marker=4, came_from="c", stage=4, hop=4),
        Message(number=1, came_from="c", stage=3, hop=4),
        Message(marker=3, came_from="c", stage=3, hop=4),
        Message(number=0, came_from="c", stage=2, hop=4),
        Message(marker=2, came_from="c", stage=2, hop=4),
    ]
    for _ in range(6):
        moving.hand_out("b")
        moving.deal("b")
    assert moving.executed == [0]
    assert len(moving.lanes["b"]) == 2
    moving.move("a", "dies")
    moving.teardown()
