"""Which of a session's commands runs when, against what is promised of their order.

Items of all lanes come in any order; those that run end, step aside and go on as it pleases the
example. After every step: what runs may run at the same time, nobody who must wait has overtaken,
and whoever need not wait for anything runs.
"""

import asyncio
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway_worker.commands.scheduler import Lane, Phase, Scheduler, Ticket, Turn
from tests.property.support import run

lanes = st.sampled_from(list(Lane))


@dataclass(eq=False, slots=True)
class Item:
    """One item and what the example has it do."""

    number: int
    lane: Lane
    steps: "asyncio.Queue[bool | None]" = field(default_factory=asyncio.Queue)
    wakes: asyncio.Event = field(default_factory=asyncio.Event)
    ticket: "Ticket[Item] | None" = None

    @property
    def phase(self) -> Phase:
        """How far it has come."""
        assert self.ticket is not None
        return self.ticket.phase


class Order(RuleBasedStateMachine):
    """The model, beside the scheduler, for one session."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.items: list[Item] = []
        self.started: list[Item] = []
        self.ended: list[Item] = []
        self.scheduler: Scheduler[Item] = self.runner.run(self.made())

    async def made(self) -> Scheduler[Item]:
        """Make the scheduler within its loop."""
        return Scheduler(handle=self.handle)

    async def handle(self, _key: str, item: Item, turn: Turn[Item]) -> None:
        """Do what the example says: step aside, letting its own lane pass or not, or end."""
        self.started.append(item)
        while (yields := await item.steps.get()) is not None:
            item.wakes.clear()
            await turn.aside(item.wakes.wait(), yields=yields)
        self.ended.append(item)

    def settle(self) -> None:
        """Let everything happen that can."""

        async def turns() -> None:
            for _ in range(8):
                await asyncio.sleep(0)

        self.runner.run(turns())

    def those(self, *phases: Phase) -> list[Item]:
        """Return the items that have come so far."""
        return [item for item in self.items if item.phase in phases]

    @rule(lane=lanes)
    def post(self, lane: Lane) -> None:
        """Something comes."""
        item = Item(len(self.items), lane)

        async def posted() -> None:
            item.ticket = self.scheduler.post("s", item, lane=lane)

        self.runner.run(posted())
        self.items.append(item)
        self.settle()

    @precondition(lambda self: self.those(Phase.RUNNING))
    @rule(data=st.data(), step=st.sampled_from((None, None, True, False)))
    def steps(self, data: st.DataObject, step: bool | None) -> None:  # noqa: FBT001 - drawn
        """Something that runs ends or steps aside."""
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
        """Whatever was taken back in between."""
        for lane in Lane:
            assert self.began(lane) == sorted(self.began(lane))

    @invariant()
    def a_send_overtakes_nothing(self) -> None:
        """Neither an earlier send nor an earlier command of the session's life."""
        for item in self.those(Phase.RUNNING, Phase.WAITING, Phase.READY):
            if item.lane in (Lane.SENDS, Lane.REPLAYS):
                before = [
                    other
                    for other in self.items[: item.number]
                    if other.lane in (item.lane, Lane.LIFECYCLE)
                ]
                assert {other.phase for other in before} <= {Phase.ENDED}

    @invariant()
    def a_send_and_the_end_of_its_session_do_not_run_at_once(self) -> None:
        """One of both at most, and one of each kind at most."""
        running = [item.lane for item in self.those(Phase.RUNNING)]
        assert running.count(Lane.SENDS) + running.count(Lane.LIFECYCLE) <= 1
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
                assert Lane.SENDS in runs or Lane.LIFECYCLE in runs
            else:
                is_due = any(one.lane is Lane.LIFECYCLE for one in earlier)
                assert is_due or (item.lane is Lane.SENDS and Lane.LIFECYCLE in runs)

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
    run(Order, examples=60, steps=20)
