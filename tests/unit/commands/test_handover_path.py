"""Where commands and markers go while their session moves."""

import pytest

from gateway_worker.commands.handover_path import OLDEST, Step, Way, next_step, next_step_of_marker
from gateway_worker.sessions.ports import PendingMarker, Whereabouts


def moved(*entries: tuple[int, str] | tuple[int, str, bool], owner: str = "c") -> Whereabouts:
    """A session with handovers under way: epoch, former owner, whether its marker has left."""
    pending = tuple(
        PendingMarker(epoch=entry[0], queue_of=entry[1], left=len(entry) == 3) for entry in entries
    )
    return Whereabouts(worker_id=owner, epoch=9, pending=pending)


def step(way: Way, where: Whereabouts) -> Step:
    assert where.worker_id is not None
    return next_step(way, where.worker_id, where)


def test_a_command_of_a_session_that_stays_stays() -> None:
    assert step(Way(queue_of="c"), moved()) == Step(worker_id="c", stage=None, hop=9)


def test_what_is_in_the_queue_of_a_former_owner_goes_through_those_of_the_next_ones() -> None:
    where = moved((2, "a"), (5, "b"))
    first = step(Way(queue_of="a"), where)
    assert first == Step(worker_id="b", stage=2, hop=2)
    second = step(Way(queue_of="b", came_from="a", stage=2, hop=2), where)
    assert second == Step(worker_id="c", stage=2, hop=5)
    last = step(Way(queue_of="c", came_from="a", stage=2, hop=5), where)
    assert (last.worker_id, last.stage) == ("c", 2)


def test_its_marker_goes_the_same_way() -> None:
    where = moved((2, "a"), (5, "b"))
    assert next_step_of_marker(Way(queue_of="a"), 2, "c", where) == Step(
        worker_id="b", stage=2, hop=2
    )
    assert next_step_of_marker(Way(queue_of="b", stage=2, hop=2), 2, "c", where) == Step(
        worker_id="c", stage=2, hop=5
    )
    assert next_step_of_marker(Way(queue_of="b"), 4, "c", where) is None


def test_a_worker_that_got_the_session_back_sends_its_old_commands_round() -> None:
    """Until the marker has left its queue; what comes then is new."""
    old, new = moved((2, "c"), (5, "b")), moved((2, "c", True), (5, "b"))
    assert step(Way(queue_of="c"), old) == Step(worker_id="b", stage=2, hop=2)
    assert step(Way(queue_of="c"), new) == Step(worker_id="c", stage=None, hop=9)


def test_each_stint_of_a_worker_is_a_stage_of_its_own() -> None:
    later = ((5, "b"), (7, "a"))
    assert step(Way(queue_of="a"), moved((2, "a"), *later)).stage == 2
    assert step(Way(queue_of="a"), moved((2, "a", True), *later)) == Step(
        worker_id="c", stage=7, hop=7
    )


@pytest.mark.parametrize("entries", [(), ((2, "a", True), (5, "b"))])
def test_what_lies_behind_the_last_marker_counts_as_published_now(
    entries: tuple[tuple[int, str], ...],
) -> None:
    """It is a repetition: the session is not routed into that queue any more."""
    where = moved(*entries)
    assert step(Way(queue_of="a"), where) == Step(worker_id="c", stage=None, hop=9)
    assert step(Way(queue_of="c", came_from="a", hop=9), where).stage is None


def test_what_an_earlier_release_has_sent_on_is_older_than_all_that_waits() -> None:
    arrived = step(Way(queue_of="c", came_from="a"), moved((2, "a"), (5, "b")))
    assert (arrived.worker_id, arrived.stage) == ("c", OLDEST)
    assert step(Way(queue_of="b", came_from="a"), moved((5, "b"))).worker_id == "c"


def test_what_comes_when_its_stage_is_over_goes_to_the_owner() -> None:
    late = step(Way(queue_of="b", came_from="a", stage=2, hop=2), moved())
    assert (late.worker_id, late.stage) == ("c", 2)
    assert late.hop >= 9


def test_what_counts_as_published_now_is_newer_than_what_had_ended_by_then() -> None:
    """The owner has not marked its own queue yet, which it had once before."""
    where = moved((2, "a"), (5, "c"), (7, "a"))
    assert step(Way(queue_of="c", came_from="b", hop=7), where).stage is None
    assert step(Way(queue_of="c", came_from="b", hop=4), where).stage == 5
    assert step(Way(queue_of="c"), where).stage == 5
