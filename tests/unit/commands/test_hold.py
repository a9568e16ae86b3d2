"""The order of commands while a session moves."""

from gateway_worker.commands.hold import Hold
from gateway_worker.sessions.ports import PendingMarker


def hold(*pending: tuple[int, str], owner: str = "c") -> Hold[str]:
    markers = [PendingMarker(epoch=epoch, queue_of=worker) for epoch, worker in pending]
    return Hold(pending=markers, owner=owner)


def test_a_session_that_has_not_moved_holds_nothing() -> None:
    held = hold()
    assert held.is_over
    assert held.admit("one", queue_of="c")
    assert held.admit("two", queue_of=None)


def test_what_comes_directly_waits_for_the_marker() -> None:
    held = hold((2, "a"))
    assert not held.admit("late", queue_of="c")
    assert held.admit("early", queue_of="a")
    assert held.pass_marker(2) == ["late"]
    assert held.is_over


def test_two_former_owners_are_heard_in_their_order() -> None:
    held = hold((2, "a"), (3, "b"))
    assert not held.admit("c1", queue_of="c")
    assert not held.admit("b1", queue_of="b")
    assert held.admit("a1", queue_of="a")
    assert held.pass_marker(3) == []
    assert held.pass_marker(2) == ["b1", "c1"]


def test_the_second_queue_has_its_turn_after_the_first_ones_marker() -> None:
    held = hold((2, "a"), (3, "b"))
    assert held.pass_marker(2) == []
    assert held.admit("b1", queue_of="b")
    assert not held.admit("c1", queue_of="c")
    assert held.pass_marker(3) == ["c1"]


def test_a_worker_that_gets_a_session_back_tells_its_old_commands_from_its_new_ones() -> None:
    held = hold((2, "a"), (3, "b"), owner="a")
    assert held.admit("old", queue_of="a")
    assert held.pass_marker(2) == []
    assert not held.admit("new", queue_of="a")
    assert held.admit("between", queue_of="b")
    assert held.pass_marker(3) == ["new"]


def test_what_was_forwarded_from_a_worker_that_got_the_session_back_is_old() -> None:
    """It has been at the worker in between."""
    held = hold((3, "b"), owner="a")
    assert held.admit("old", queue_of="a", forwarded=True)
    assert not held.admit("new", queue_of="a")
    assert held.pass_marker(3) == ["new"]


def test_a_straggler_of_a_queue_that_is_done_with_goes_first() -> None:
    held = hold((3, "b"))
    assert held.admit("straggler", queue_of="a")


def test_a_marker_that_comes_twice_changes_nothing() -> None:
    held = hold((2, "a"))
    assert held.pass_marker(2) == []
    assert held.pass_marker(2) == []


def test_what_waits_can_be_taken_back_in_order() -> None:
    held = hold((2, "a"), (3, "b"))
    for item, queue in (("c1", "c"), ("b1", "b"), ("c2", "c")):
        assert not held.admit(item, queue_of=queue)
    assert held.held == 3
    assert held.withdraw() == ["b1", "c1", "c2"]
    assert held.held == 0
