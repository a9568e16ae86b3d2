"""Sessions that move between workers while commands arrive: what is executed, and in which order.

The queues, the routing of the broker and the table of sessions are a model; who waits for whom is
decided by the real `Hold`, and where everything goes by the real `chain`. Everything that can come
between does: a queue stands still, a command goes into two queues while the bindings are moved, a
backend publishes one again, the session moves on before its last move is through, its owner does
not hear of that, a worker dies with commands in hand, and what it did comes again because its
acknowledgements were lost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway_worker.commands.chain import (
    Step,
    Way,
    find_entry,
    next_step,
    next_step_of_marker,
)
from gateway_worker.commands.hold import Hold
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


@dataclass(slots=True, kw_only=True)
class Queue:
    """A worker's queue.

    Attributes:
        waiting: What was not handed out.
        unsettled: What was, in its order, as far as the broker knows: held, or done with by
            somebody whose acknowledgement has not arrived.
    """

    waiting: list[Message] = field(default_factory=list)
    unsettled: list[Message] = field(default_factory=list)

    def give_back(self) -> None:
        """Lose the connection of whoever consumes it."""
        self.waiting[:0] = self.unsettled
        self.unsettled.clear()


@dataclass(slots=True, kw_only=True)
class Seat:
    """What a worker knows of a session that it takes for its own."""

    where: Whereabouts
    hold: Hold[Message]


class Moving(RuleBasedStateMachine):
    """One session, three workers."""

    def __init__(self) -> None:
        super().__init__()
        self.queues = {worker: Queue() for worker in WORKERS}
        self.bound = {"a"}
        self.where = Whereabouts(worker_id="a", epoch=1)
        self.seats = {"a": Seat(where=self.where, hold=Hold(pending=()))}
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
        self.seats[to] = Seat(where=self.where, hold=Hold(pending=pending))
        self.to_do = self.adoption(to, pending)

    def die(self, worker: str) -> None:
        """Give everything back."""
        self.seats.pop(worker, None)
        self.queues[worker].give_back()

    def leave(self, worker: str) -> None:
        """Send on what is held, before anything else of the queue, and know nothing any more."""
        if (seat := self.seats.pop(worker, None)) is not None:
            for message in seat.hold.withdraw():
                self.act(worker, worker, message)

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
    @rule(data=st.data(), count=st.integers(1, 3), acknowledges=st.booleans())
    def work(self, data: st.DataObject, count: int, *, acknowledges: bool) -> None:
        """A worker takes the next messages of its queue; what it does with them may come again."""
        ready = [worker for worker in WORKERS if self.queues[worker].waiting]
        worker = data.draw(st.sampled_from(ready))
        for _ in range(min(count, len(self.queues[worker].waiting))):
            self.take(worker, acknowledges=acknowledges)

    @rule(worker=workers, by=workers, count=st.integers(0, 3), acknowledges=st.booleans())
    def attend(self, worker: str, by: str, count: int, *, acknowledges: bool) -> None:
        """A former owner is dead; another worker takes what is in its queue."""
        if worker in (self.owner, by):
            return
        self.die(worker)
        for _ in range(min(count, len(self.queues[worker].waiting))):
            self.take(worker, by=by, acknowledges=acknowledges)
        self.queues[worker].give_back()

    # What the workers do.

    def take(self, worker: str, *, by: str | None = None, acknowledges: bool = True) -> None:
        """Deal with the next message of a worker's queue, by itself or by who attends it."""
        by = by or worker
        queue = self.queues[worker]
        message = queue.waiting.pop(0)
        queue.unsettled.append(message)
        self.act(worker, by, message, acknowledges=acknowledges)

    def act(self, worker: str, by: str, message: Message, *, acknowledges: bool = True) -> None:
        """Do what the dispatcher does with a delivery."""
        where, step = self.look(worker, by, message)
        seat = self.seats.get(by)
        if step is None:
            pass
        elif not step.worker_id == _owner(where) == by == worker:
            self.send_on(worker, message, step)
        elif message.marker is not None and seat is not None:
            self.pass_marker(seat, message.marker)
        elif message.marker is None and seat is not None:
            if not seat.hold.admit(message, stage=step.stage):
                return
            self.execute(worker, message)
        if acknowledges:
            self.settle(worker, message)

    def look(self, worker: str, by: str, message: Message) -> tuple[Whereabouts, Step | None]:
        """Find out where a message goes, as `Pilot` does, and flush before it if need be."""
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

    def send_on(self, worker: str, message: Message, step: Step) -> None:
        """Put a message into the next queue."""
        self.queues[step.worker_id].waiting.append(
            replace(
                message,
                came_from=message.came_from or worker,
                stage=step.stage,
                hop=step.hop,
            )
        )
        if step.stage is None and message.hop is None and worker != self.owner:
            self.bound.discard(worker)

    def pass_marker(self, seat: Seat, epoch: int) -> None:
        """Note that a marker has come, and do what has waited for it."""
        released, passed = seat.hold.pass_marker(epoch)
        if passed is not None:
            left = tuple(one for one in self.where.pending if one.epoch > passed)
            self.where = seat.where = replace(self.where, pending=left)
        for message in released:
            self.act(self.owner, self.owner, message)

    def execute(self, worker: str, message: Message) -> None:
        """Do it, unless it was done; a worker that is not the owner cannot."""
        assert message.number is not None
        if self.seats[worker].where.epoch != self.where.epoch:
            self.leave(worker)
            self.act(worker, worker, message)
        elif message.number not in self.executed:
            self.executed.append(message.number)

    def settle(self, worker: str, message: Message) -> None:
        """Acknowledge, if that has not been done."""
        unsettled = self.queues[worker].unsettled
        unsettled[:] = [one for one in unsettled if one is not message]

    # What must be true.

    @invariant()
    def nothing_overtakes(self) -> None:
        """What is executed is the beginning of what was published, in its order."""
        assert self.executed == list(range(len(self.executed)))

    def teardown(self) -> None:
        """When everything has settled, everything is executed and nothing is held."""
        for worker in set(self.seats) - {self.owner}:
            self.leave(worker)
        for _ in range(ROUNDS):
            if not self.to_do and not any(queue.waiting for queue in self.queues.values()):
                break
            while self.to_do:
                self.go_on_adopting()
            for worker in WORKERS:
                if self.queues[worker].waiting:
                    self.take(worker)
        assert self.executed == list(range(self.published))
        assert self.seats[self.owner].hold.is_over
        assert not self.where.pending
        assert not any(queue.waiting for queue in self.queues.values())


def _owner(where: Whereabouts) -> str:
    assert where.worker_id is not None
    return where.worker_id


def test_commands_keep_their_order_while_their_session_moves() -> None:
    """Whatever stands still, dies or comes twice meanwhile, however often it moves."""
    run(Moving, examples=500, steps=60)
