"""Which of a session's commands runs when, against what is promised of their order.

Items of all lanes come in any order; those that run conclude, end, step aside and go on as it
pleases the example. After every step: what runs may run at the same time, nobody who must wait has
overtaken, and whoever need not wait for anything runs. Sends have an order of their own, or one
among all.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway_worker.commands.lanes import Lane, Order, Passing
from gateway_worker.commands.scheduler import Scheduler, Turn
from gateway_worker.commands.session_lanes import Phase, Ticket
from tests.property.support import run

PATIENCE = 2
BEGUN = (Phase.RUNNING, Phase.WAITING, Phase.READY)
lanes = st.sampled_from([*Lane, Lane.SENDS, Lane.SENDS, Lane.DEFERRED])
SENDING = (Lane.SENDS, Lane.DEFERRED)
CONCLUDES: Final = "concludes"
ORDERS = {
    "any": None,
    "number 1": Order(marks=frozenset({"1", "n"}), waits_for=frozenset({"1", "l"})),
    "number 2": Order(marks=frozenset({"2", "n"}), waits_for=frozenset({"2", "l"})),
    "lid 1": Order(marks=frozenset({"l1", "l"}), waits_for=frozenset({"l1", "n"})),
    "group": Order(marks=frozenset({"g"}), waits_for=frozenset({"g"})),
}
ALIKE = {
    "number 1": {"number 1", "lid 1"},
    "number 2": {"number 2", "lid 1"},
    "lid 1": {"number 1", "number 2", "lid 1"},
    "group": {"group"},
}
"""What may be the same chat."""


def may_be_one(one: str, other: str) -> bool:
    """Whether two orders may be the same."""
    return "any" in (one, other) or other in ALIKE[one]


@dataclass(eq=False, slots=True)
class Item:
    """One item and what the example has it do."""

    number: int
    lane: Lane
    order: str = "any"
    steps: "asyncio.Queue[Passing | str | None]" = field(default_factory=asyncio.Queue)
    lets: Passing | None = None
    wakes: asyncio.Event = field(default_factory=asyncio.Event)
    ticket: "Ticket[Item] | None" = None

    @property
    def phase(self) -> Phase:
        """How far it has come."""
        assert self.ticket is not None
        return self.ticket.phase

    @property
    def is_concluding(self) -> bool:
        """Whether it runs, was put off, and holds up no other send any more."""
        assert self.ticket is not None
        return self.phase is Phase.RUNNING and self.ticket.is_concluding

    @property
    def lets_other_orders_pass(self) -> bool:
        """Whether it waits and does not mind those of other orders."""
        assert self.ticket is not None
        return self.phase is Phase.WAITING and self.ticket.passing is Passing.OTHER_ORDERS


class OrderOfCommands(RuleBasedStateMachine):
    """The model, beside the scheduler, for one session."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.items: list[Item] = []
        self.started: list[Item] = []
        self.ended: list[Item] = []
        self.cut_in: list[Item] = []
        self.urgent: list[Item] = []
        self.overtaking = 0
        self.scheduler: Scheduler[Item] = self.runner.run(self.made())

    async def made(self) -> Scheduler[Item]:
        """Make the scheduler within its loop."""
        return Scheduler(handle=self.handle, most_overtaking=PATIENCE)

    async def handle(self, _key: str, item: Item, turn: Turn[Item]) -> None:
        """Do what the example says: step aside, letting its own lane pass or not, or end."""
        self.started.append(item)
        if item.lane in SENDING:
            overtaken = [one for one in self.items[: item.number] if one.lane is item.lane]
            begun = [one for one in overtaken if one.phase in BEGUN]
            self.cut_in += [one for one in begun if one.lets is not Passing.OTHER_ORDERS]
        if item.lane is Lane.SENDS and self.those_deferred():
            self.overtaking += 1
        if item.lane is Lane.DEFERRED:
            others = [one for one in self.items if one.lane is Lane.SENDS]
            if self.overtaking >= PATIENCE:  # it has aged
                others = [one for one in others if one.phase is not Phase.QUEUED]
            self.urgent += [one for one in others if not self.lets_deferred(one, item)]
            self.overtaking = 0
        while (step := await item.steps.get()) is not None:
            if not isinstance(step, Passing):
                turn.conclude()
                continue
            item.lets = step
            item.wakes.clear()
            await turn.aside(item.wakes.wait(), passing=step)
            if item.lane is Lane.DEFERRED:
                self.overtaking = 0
        self.ended.append(item)

    def those_deferred(self) -> list[Item]:
        """Return the deferred sends that are to begin or to go on."""
        those = self.those(Phase.QUEUED, Phase.READY)
        return [one for one in those if one.lane is Lane.DEFERRED]

    @staticmethod
    def lets_deferred(send: Item, deferred: Item) -> bool:
        """Whether a send does not mind that a deferred one begins."""
        if send.phase is Phase.ENDED:
            return True
        is_other = not may_be_one(send.order, deferred.order)
        return is_other and (send.phase is Phase.QUEUED or send.lets_other_orders_pass)

    def settle(self) -> None:
        """Let everything happen that can."""

        async def turns() -> None:
            for _ in range(8):
                await asyncio.sleep(0)

        self.runner.run(turns())

    def those(self, *phases: Phase) -> list[Item]:
        """Return the items that have come so far."""
        return [item for item in self.items if item.phase in phases]

    @rule(lane=lanes, order=st.sampled_from(list(ORDERS)))
    def post(self, lane: Lane, order: str) -> None:
        """Something comes."""
        item = Item(len(self.items), lane, order if lane in SENDING else "any")
        if lane is Lane.DEFERRED and not self.those_deferred():
            self.overtaking = 0

        async def posted() -> None:
            item.ticket = self.scheduler.post("s", item, lane=lane, order=ORDERS[item.order])

        self.runner.run(posted())
        self.items.append(item)
        self.settle()

    @precondition(lambda self: self.those(Phase.RUNNING))
    @rule(
        data=st.data(),
        step=st.sampled_from((None, None, *Passing, Passing.OTHER_ORDERS, CONCLUDES, CONCLUDES)),
    )
    def steps(self, data: st.DataObject, step: Passing | str | None) -> None:
        """Something that runs concludes, ends or steps aside."""
        data.draw(st.sampled_from(self.those(Phase.RUNNING))).steps.put_nowait(step)
        self.settle()

    @precondition(lambda self: self.those(Phase.WAITING))
    @rule(data=st.data())
    def wakes(self, data: st.DataObject) -> None:
        """What something has waited for comes."""
        data.draw(st.sampled_from(self.those(Phase.WAITING))).wakes.set()
        self.settle()

    @precondition(lambda self: self.those(Phase.QUEUED))
    @rule(data=st.data())
    def taken_back(self, data: st.DataObject) -> None:
        """Something that has not begun is taken back, because its deadline is over."""
        item = data.draw(st.sampled_from(self.those(Phase.QUEUED)))
        ticket = item.ticket
        assert ticket is not None

        async def removed() -> bool:
            return self.scheduler.remove("s", ticket)

        assert self.runner.run(removed())
        self.settle()

    # What must be true.

    def began(self, *in_lanes: Lane) -> list[int]:
        """Return what has begun in some lanes, in that order."""
        return [item.number for item in self.started if item.lane in in_lanes]

    @invariant()
    def each_lane_keeps_its_order(self) -> None:
        """Whatever was taken back in between; of sends, those that may be of one order."""
        for lane in Lane:
            if lane not in SENDING:
                assert self.began(lane) == sorted(self.began(lane))
        for lane in SENDING:
            sends = [item for item in self.started if item.lane is lane]
            for place, item in enumerate(sends):
                for later in sends[place + 1 :]:
                    assert later.number > item.number or not may_be_one(later.order, item.order)

    def in_the_way(self, send: Item) -> list[Item]:
        """Return the earlier sends and life cycle commands that a send must not overtake."""
        return [
            other
            for other in self.items[: send.number]
            if other.phase is not Phase.ENDED
            and (
                other.lane is Lane.LIFECYCLE
                or (other.lane is send.lane and may_be_one(other.order, send.order))
            )
        ]

    def running(self, *lanes: Lane) -> list[Item]:
        """Return what runs in some lanes."""
        return [item for item in self.those(Phase.RUNNING) if item.lane in lanes]

    def holds_up_sends(self) -> bool:
        """Whether something runs beside which no send may."""
        running = self.running(Lane.SENDS, Lane.DEFERRED, Lane.LIFECYCLE)
        return any(not item.is_concluding for item in running)

    def a_deferred_send_goes_first(self) -> bool:
        """Whether one that has aged is to go on as soon as nothing runs."""
        ready = [item for item in self.those(Phase.READY) if item.lane is Lane.DEFERRED]
        return bool(ready) and self.overtaking >= PATIENCE

    @invariant()
    def a_send_overtakes_nothing_of_its_order(self) -> None:
        """Neither an earlier send of it nor an earlier command of the session's life."""
        for item in self.those(*BEGUN):
            if item.lane in SENDING:
                assert self.in_the_way(item) == []

    @invariant()
    def a_send_overtakes_only_what_lets_it(self) -> None:
        """What prepares itself, and what is queued because of that."""
        assert self.cut_in == []

    @invariant()
    def a_deferred_send_begins_when_no_other_wants_to(self) -> None:
        """Nobody who waits for a send waits for it; of another order, those that prepare."""
        assert self.urgent == []

    @invariant()
    def a_deferred_send_that_may_run_runs(self) -> None:
        """When nothing of the others is there, and no earlier one of its own."""
        if self.running(Lane.SENDS, Lane.DEFERRED, Lane.LIFECYCLE):
            return
        if [item for item in self.those(*BEGUN, Phase.QUEUED) if item.lane is Lane.SENDS]:
            return
        deferred = [item for item in self.those(*BEGUN) if item.lane is Lane.DEFERRED]
        assert all(item.phase is Phase.WAITING for item in deferred)
        if all(item.lets_other_orders_pass for item in deferred):
            for item in self.those(Phase.QUEUED):
                assert item.lane is not Lane.DEFERRED or self.in_the_way(item)

    @invariant()
    def a_send_that_may_run_runs(self) -> None:
        """Also past what prepares itself or concludes, and when it goes on."""
        if self.holds_up_sends() or self.a_deferred_send_goes_first():
            return
        sends = [item for item in self.those(*BEGUN) if item.lane is Lane.SENDS]
        assert all(item.phase is Phase.WAITING for item in sends)
        if all(item.lets_other_orders_pass for item in sends):
            for item in self.those(Phase.QUEUED):
                assert item.lane is not Lane.SENDS or self.in_the_way(item)

    @invariant()
    def a_replay_overtakes_nothing(self) -> None:
        """Neither an earlier replay nor an earlier command of the session's life."""
        for item in self.those(*BEGUN):
            if item.lane is Lane.REPLAYS:
                before = [
                    other
                    for other in self.items[: item.number]
                    if other.lane in (Lane.REPLAYS, Lane.LIFECYCLE)
                ]
                assert {other.phase for other in before} <= {Phase.ENDED}

    @invariant()
    def a_send_and_the_end_of_its_session_do_not_run_at_once(self) -> None:
        """One of both at most, and one of each kind at most."""
        running = [item.lane for item in self.those(Phase.RUNNING)]
        exclusive = (Lane.SENDS, Lane.DEFERRED, Lane.LIFECYCLE)
        concluding = [item for item in self.running(Lane.DEFERRED) if item.is_concluding]
        assert sum(map(running.count, exclusive)) - len(concluding) <= 1
        assert not (concluding and Lane.LIFECYCLE in running)
        assert running.count(Lane.DEFERRED) <= 1
        assert running.count(Lane.REPLAYS) <= 1
        assert running.count(Lane.PEERS) <= 1

    @invariant()
    def what_waits_holds_up_nobody_who_may_pass(self) -> None:
        """Look-ups pass all but the life of the session; that passes whatever waits."""
        runs = {item.lane for item in self.those(Phase.RUNNING)}
        for item in self.those(Phase.QUEUED):
            earlier = [one for one in self.items[: item.number] if one.phase is not Phase.ENDED]
            if item.lane is Lane.FREE:
                raise AssertionError("it waits for nobody")
            same = [one for one in earlier if one.lane is item.lane]
            if same:
                continue
            if item.lane is Lane.LIFECYCLE:
                assert runs & {Lane.SENDS, Lane.DEFERRED, Lane.LIFECYCLE}
            elif item.lane is not Lane.DEFERRED:
                is_due = any(one.lane is Lane.LIFECYCLE for one in earlier)
                is_send = item.lane is Lane.SENDS
                assert is_due or (is_send and runs & {Lane.DEFERRED, Lane.LIFECYCLE})

    @invariant()
    def it_counts_what_has_not_begun(self) -> None:
        """For the metric."""
        assert self.scheduler.waiting == len(self.those(Phase.QUEUED))

    def teardown(self) -> None:
        """Everything that was not taken back comes to its end."""
        for item in self.items:
            item.wakes.set()
            item.steps.put_nowait(None)
        self.runner.run(self.all_end())
        self.runner.close()

    async def all_end(self) -> None:
        """Let it all run to the end."""
        while self.those(Phase.QUEUED, Phase.RUNNING, Phase.WAITING, Phase.READY):
            for item in self.those(Phase.WAITING):
                item.wakes.set()
            await asyncio.sleep(0)
        assert len(self.ended) == len(self.started)


def test_the_commands_of_a_session_run_in_the_order_that_is_promised() -> None:
    """Whatever comes, ends, waits and goes on, in any order."""
    run(OrderOfCommands, examples=60, steps=20)
