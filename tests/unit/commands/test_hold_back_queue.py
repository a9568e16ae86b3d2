"""The order of commands while a session moves."""

from gateway_worker.commands.hold_back_queue import HoldBackQueue
from gateway_worker.sessions.ports import PendingMarker


def hold(*epochs: int) -> HoldBackQueue[str]:
    return HoldBackQueue(pending=[PendingMarker(epoch=epoch, queue_of="any") for epoch in epochs])


def test_a_session_that_has_not_moved_holds_nothing() -> None:
    held = hold()
    assert held.is_over
    assert held.admit("one", stage=None)
    assert held.admit("two", stage=7)


def test_what_comes_directly_waits_for_the_marker() -> None:
    held = hold(2)
    assert not held.admit("late", stage=None)
    assert held.pass_marker(2) == ["late"]
    assert held.is_open
    assert held.forget_over() == 2
    assert held.is_over


def test_former_owners_are_heard_in_their_order() -> None:
    held = hold(2, 3)
    assert not held.admit("c1", stage=None)
    assert not held.admit("b1", stage=3)
    assert held.admit("a1", stage=2)
    assert held.pass_marker(3) == []
    assert held.pass_marker(2) == ["b1", "c1"]


def test_the_second_queue_has_its_turn_after_the_first_ones_marker() -> None:
    held = hold(2, 3)
    assert held.pass_marker(2) == []
    assert held.forget_over() == 2
    assert held.admit("b1", stage=3)
    assert not held.admit("c1", stage=None)
    assert held.pass_marker(3) == ["c1"]


def test_what_comes_again_behind_its_marker_waits_like_the_first_copy() -> None:
    held = hold(2, 3)
    assert not held.admit("b1", stage=3)
    assert held.pass_marker(3) == []
    assert not held.admit("b1 again", stage=3)
    assert held.pass_marker(2) == ["b1", "b1 again"]


def test_a_straggler_of_a_queue_that_is_done_with_goes_first() -> None:
    held = hold(3)
    assert held.admit("straggler", stage=2)
    assert held.admit("of an earlier release", stage=0)


def test_a_marker_that_comes_twice_changes_nothing() -> None:
    held = hold(2)
    assert held.pass_marker(2) == []
    assert held.pass_marker(2) == []
    assert held.forget_over() == 2
    assert held.pass_marker(2) == []
    assert held.forget_over() is None


def test_a_stage_is_over_when_all_that_had_its_turn_has_ended() -> None:
    held = hold(2, 3, 4)
    assert not held.admit("c1", stage=4)
    assert not held.admit("b1", stage=3)
    assert held.admit("a1", stage=2)
    for epoch in (4, 3, 2):
        held.pass_marker(epoch)
    assert held.is_open
    assert held.forget_over() is None
    held.end("a1")
    assert held.forget_over() == 2
    held.end("c1")
    assert held.forget_over() is None, "what is older has not ended"
    held.end("b1")
    assert held.forget_over() == 4
    assert held.is_over


def test_what_comes_directly_ends_no_stage() -> None:
    held = hold(2)
    assert not held.admit("late", stage=None)
    assert held.pass_marker(2) == ["late"]
    assert held.forget_over() == 2


def test_what_is_taken_back_alone_ends_its_stage_all_the_same() -> None:
    held = hold(2, 3)
    assert not held.admit("b1", stage=3)
    assert held.remove("b1")
    assert not held.remove("b1")
    assert held.pass_marker(2) == held.pass_marker(3) == []
    assert held.forget_over() == 2
    held.end("b1")
    assert held.forget_over() == 3


def test_what_goes_back_and_had_its_turn_asks_for_the_markers_again() -> None:
    held = hold(2)
    assert not held.admit("late", stage=None)
    assert held.admit("early", stage=2)
    assert held.pass_marker(2) == ["late"]
    held.lose("early")
    assert not held.is_open
    assert held.forget_over() is None
    assert not held.admit("late", stage=None), "it has not begun: it waits again"
    assert held.admit("early again", stage=2)
    assert held.pass_marker(2) == ["late"]


def test_it_is_idle_while_nothing_comes_that_goes_before_what_waits() -> None:
    now = 0.0
    held: HoldBackQueue[str] = HoldBackQueue(
        pending=[PendingMarker(epoch=epoch, queue_of="any") for epoch in (2, 3)],
        clock=lambda: now,
    )
    now = 5.0
    assert not held.admit("late", stage=None)
    assert held.holds("late")
    assert held.idle_seconds == 5.0
    assert held.admit("early", stage=2)
    assert not held.holds("early")
    assert held.idle_seconds == 0.0
    now = 6.0
    held.end("early")
    assert held.remove("late")
    held.end("late")
    assert held.idle_seconds == 1.0, "that others wait no longer lets none wait longer"
    now = 8.0
    held.pass_marker(3)
    now = 9.0
    held.pass_marker(3)
    held.pass_marker(1)
    assert held.idle_seconds == 1.0, "a marker that comes again says nothing new"


def test_what_goes_back_while_it_waits_changes_nothing() -> None:
    held = hold(2)
    assert not held.admit("late", stage=None)
    held.lose("late")
    assert held.pass_marker(2) == ["late"]


def test_what_waits_can_be_taken_back_in_order() -> None:
    held = hold(2, 3)
    for item, stage in (("c1", None), ("b1", 3), ("c2", None)):
        assert not held.admit(item, stage=stage)
    assert held.held == 3
    assert held.withdraw() == ["b1", "c1", "c2"]
    assert held.held == 0
