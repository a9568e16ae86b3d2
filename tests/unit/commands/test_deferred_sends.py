"""Sends that nobody waits for: they leave room to others, and neither starve nor are starved."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway_worker.commands.deferred_slots import DeferredSlots
from gateway_worker.commands.lanes import Lane, Passing
from gateway_worker.commands.scheduler import MOST_OVERTAKING, Scheduler, Turn
from tests.support.eventually import eventually


class Worker:
    """Runs what it is given, until each is let go; says what has begun."""

    def __init__(self, slots: DeferredSlots) -> None:
        self.slots = slots
        self.scheduler: Scheduler[str] = Scheduler(handle=self.handle, slots=slots)
        self.began: list[str] = []
        self.running: dict[str, asyncio.Event] = {}
        self.asides: dict[str, asyncio.Event] = {}
        self.effects: dict[str, asyncio.Event] = {}

    async def handle(self, _key: str, item: str, turn: Turn[str]) -> None:
        """Run until it is let go, and then wait aside if that was asked for."""
        self.began.append(item)
        self.running[item] = asyncio.Event()
        if item in self.effects:
            await self.effects[item].wait()
            turn.conclude()
        await self.running[item].wait()
        if item in self.asides:
            del self.running[item]
            await turn.aside(self.asides[item].wait(), passing=Passing.NOBODY)
            self.running[item] = asyncio.Event()
            await self.running[item].wait()
        del self.running[item]

    def post(self, session: str, item: str, lane: Lane = Lane.DEFERRED) -> None:
        """Give it something of a session."""
        self.scheduler.post(session, item, lane=lane)

    async def has_effect(self, item: str) -> None:
        """Have nothing left to do for something that runs but to write its end."""
        self.effects[item].set()
        await settled()

    async def ends(self, item: str) -> None:
        """Have something that runs come to its end, and what follows begin."""
        self.running[item].set()
        await settled()


async def settled() -> None:
    """Let happen what can."""
    for _ in range(8):
        await asyncio.sleep(0)


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    """Return one with two slots, for which conversations make no difference."""
    made = Worker(DeferredSlots(slots=2, conversation_seconds=0.0, long_seconds=3600.0))
    yield made
    await made.scheduler.cancel()


async def test_a_conversation_that_never_pauses_starves_nothing(worker: Worker) -> None:
    """After so many sends one goes first that was put off, and then the others again."""
    for number in range(2 * MOST_OVERTAKING + 4):
        worker.post("s", f"send {number}", Lane.SENDS)
    worker.post("s", "row 1")
    worker.post("s", "row 2")
    await settled()
    for _ in range(2 * MOST_OVERTAKING + 3):
        await worker.ends(worker.began[-1])

    # The first one ran already when the rows came.
    places = [worker.began.index(row) for row in ("row 1", "row 2")]
    assert places == [MOST_OVERTAKING + 1, 2 * MOST_OVERTAKING + 2]


async def test_one_that_goes_on_is_not_starved_either(worker: Worker) -> None:
    """What it has waited for has come, and sends keep coming."""
    worker.asides["row"] = asyncio.Event()
    worker.post("s", "row")
    await settled()
    worker.post("s", "send 0", Lane.SENDS)
    await worker.ends("row")
    for number in range(1, MOST_OVERTAKING + 3):
        worker.post("s", f"send {number}", Lane.SENDS)
    worker.asides["row"].set()
    await settled()
    for number in range(MOST_OVERTAKING + 1):
        assert "row" not in worker.running
        await worker.ends(f"send {number}")
    assert set(worker.running) == {"row"}


async def test_only_a_few_sessions_send_at_a_time(worker: Worker) -> None:
    """The others have their turn in the order in which they came."""
    for name in "abcd":
        worker.post(name, name)
    await settled()
    assert worker.began == ["a", "b"]

    await worker.ends("b")
    assert worker.began == ["a", "b", "c"]
    await worker.ends("a")
    assert worker.began == ["a", "b", "c", "d"]


async def test_a_session_that_cannot_send_holds_up_no_other(worker: Worker) -> None:
    """What is queued after a send that takes long has no slot."""
    for name in "ab":
        worker.post(name, f"send of {name}", Lane.SENDS)
        worker.post(name, f"row of {name}")
    await settled()
    worker.post("c", "row of c")
    await settled()
    assert worker.began == ["send of a", "send of b", "row of c"]


async def test_a_send_waits_for_the_effect_of_a_deferred_one_and_not_for_its_end(
    worker: Worker,
) -> None:
    """That is written beside it. The next one that was put off waits for both."""
    worker.effects["row 1"] = asyncio.Event()
    worker.post("s", "row 1")
    await settled()
    worker.post("s", "send 1", Lane.SENDS)
    worker.post("s", "send 2", Lane.SENDS)
    worker.post("s", "row 2")
    await settled()
    assert worker.began == ["row 1"]

    await worker.has_effect("row 1")
    assert set(worker.running) == {"row 1", "send 1"}
    await worker.ends("row 1")
    assert set(worker.running) == {"send 1"}
    await worker.ends("send 1")
    assert set(worker.running) == {"send 2"}
    await worker.ends("send 2")
    assert set(worker.running) == {"row 2"}


async def test_what_a_session_is_waits_for_the_end_of_a_deferred_send(worker: Worker) -> None:
    """As for that of every other: it may have to tell of the session as it was."""
    worker.effects["row"] = asyncio.Event()
    worker.post("s", "row")
    await settled()
    worker.post("s", "stop", Lane.LIFECYCLE)
    worker.post("s", "send", Lane.SENDS)
    await worker.has_effect("row")
    assert set(worker.running) == {"row"}
    await worker.ends("row")
    assert set(worker.running) == {"stop"}
    await worker.ends("stop")
    assert set(worker.running) == {"send"}


async def test_one_that_begins_anew_holds_up_sends_again(worker: Worker) -> None:
    """Its end could not be written; by then it may have to be sent after all."""
    worker.effects["row"], worker.asides["row"] = asyncio.Event(), asyncio.Event()
    worker.post("s", "row")
    await settled()
    await worker.has_effect("row")
    await worker.ends("row")
    worker.asides["row"].set()
    await settled()
    worker.post("s", "send", Lane.SENDS)
    await settled()
    assert set(worker.running) == {"row"}


async def test_what_waits_for_something_leaves_its_slot(worker: Worker) -> None:
    """And goes on when that comes, whoever has it by then."""
    worker.asides["a"] = asyncio.Event()
    for name in "abc":
        worker.post(name, name)
    await settled()
    await worker.ends("a")
    assert worker.began == ["a", "b", "c"]

    worker.asides["a"].set()
    await settled()
    assert set(worker.running) == {"a", "b", "c"}

    worker.post("d", "d")
    await worker.ends("a")
    assert "d" not in worker.began
    await worker.ends("b")
    assert worker.began[-1] == "d"


async def test_one_that_has_aged_needs_no_slot(worker: Worker) -> None:
    """Those of other sessions may all be taken for long."""
    for name in "ab":
        worker.post(name, name)
    for number in range(MOST_OVERTAKING + 2):
        worker.post("s", f"send {number}", Lane.SENDS)
    worker.post("s", "row")
    await settled()
    for number in range(MOST_OVERTAKING + 1):
        await worker.ends(f"send {number}")
    assert worker.began[-1] == "row"


async def test_tenants_have_slots_in_turn() -> None:
    """One with bulks in many sessions gets no more of them than one with a single session."""
    worker = Worker(DeferredSlots(slots=1, conversation_seconds=0.0, long_seconds=3600.0))
    for row in range(2):
        for session in range(3):
            worker.post(f"acme.{session}", f"acme {session}{row}")
    for row in range(3):
        worker.post("mallory.s", f"mallory {row}")
    for name in "xy":
        worker.post(name, name)
    await settled()
    while worker.running:
        await worker.ends(next(iter(worker.running)))

    assert worker.began == [
        *("acme 00", "acme 10", "mallory 0", "x"),
        *("acme 20", "mallory 1", "y"),
        *("acme 01", "mallory 2"),
        *("acme 11", "acme 21"),
    ]
    await worker.scheduler.join()


async def test_one_that_takes_long_keeps_no_slot() -> None:
    """WhatsApp does not answer it: that is no load, and others go on."""
    worker = Worker(DeferredSlots(slots=2, conversation_seconds=0.0, long_seconds=0.01))
    for name in "abcd":
        worker.post(name, name)
    await eventually(lambda: worker.began == ["a", "b", "c", "d"], timeout_seconds=30.0)
    for name in "abcd":
        await worker.ends(name)

    await worker.scheduler.join()


async def test_a_conversation_leaves_half_of_the_slots_and_these_rest() -> None:
    """The next session has it after a while."""
    worker = Worker(
        DeferredSlots(slots=3, conversation_seconds=3600.0, long_seconds=3600.0, ahead_seconds=0.0)
    )
    worker.post("x", "send", Lane.SENDS)
    await eventually(lambda: worker.slots.has_room, timeout_seconds=30.0)
    for name in "abc":
        worker.post(name, name)
    await settled()
    assert worker.began == ["send", "a"]

    worker.running["a"].set()
    await eventually(lambda: worker.began == ["send", "a", "b"], timeout_seconds=30.0)
    await worker.scheduler.cancel()


async def test_a_send_goes_ahead_of_what_would_begin_beside_it() -> None:
    """Also where slots are left, and of another session: they share the processors."""
    worker = Worker(
        DeferredSlots(
            slots=4, conversation_seconds=3600.0, ahead_seconds=3600.0, longest_pause_seconds=3600.0
        )
    )
    worker.post("a", "row of a")
    await settled()
    worker.post("x", "send", Lane.SENDS)
    worker.post("b", "row of b")
    await settled()
    assert worker.began == ["row of a", "send"]
    await worker.scheduler.cancel()


async def test_sends_that_keep_beginning_go_ahead_for_a_while_at_most() -> None:
    """Without any of them having to end."""
    worker = Worker(
        DeferredSlots(
            slots=4, conversation_seconds=3600.0, ahead_seconds=3600.0, longest_pause_seconds=0.01
        )
    )
    for number in range(3):
        worker.post(f"x{number}", f"send {number}", Lane.SENDS)
    worker.post("a", "row")
    sends = ["send 0", "send 1", "send 2"]
    await eventually(lambda: worker.began == [*sends, "row"], timeout_seconds=30.0)
    await worker.scheduler.cancel()


async def test_after_a_conversation_there_are_all_slots_again() -> None:
    """Without anything else having to happen."""
    worker = Worker(DeferredSlots(slots=3, conversation_seconds=0.01, ahead_seconds=0.0))
    worker.post("x", "send", Lane.SENDS)
    for name in "abc":
        worker.post(name, name)
    await eventually(lambda: worker.began == ["send", "a", "b", "c"], timeout_seconds=30.0)
    await worker.scheduler.cancel()
