"""The auditor and posts: on a session's status, in its channel, and in one that it follows."""

from datetime import UTC, datetime

import pytest

from gateway_contracts import (
    CommandSucceeded,
    CommandSucceededData,
    SessionState,
    StatusInfo,
    StatusReason,
)
from gateway_worker.devkit.chaos.audit import Breach, audit
from gateway_worker.devkit.chaos.audit.arrivals import POST_SECONDS
from gateway_worker.devkit.chaos.event_recorder import seen_in
from gateway_worker.devkit.chaos.history import Kind
from gateway_worker.devkit.chaos.rooms import STATUS
from tests.unit.devkit.chaos.builder import Story, breaches

READERS = ("reader", "writer")


@pytest.mark.parametrize("seen_by", [READERS, ("reader",), ()])
def test_a_post_that_succeeded_is_at_all_who_see_it(seen_by: tuple[str, ...]) -> None:
    """Whom its phone shows its status, or who follows its channel."""
    story = Story.linked()
    story.unconfirmed.add(STATUS)
    story.send_to(STATUS, "c1", *READERS)
    for reader in seen_by:
        story.show("c1", phone=reader)
    story.tell(kind=Kind.SUCCEEDED, command_id="c1", message_id="wa-c1")

    assert breaches(story) == ([] if seen_by == READERS else [Breach.COMMAND_LOST])
    assert audit(story.history()).commands.shared == 0


def test_a_post_that_is_posted_twice() -> None:
    """Under another id: somebody sees it twice."""
    story = Story.linked()
    story.unconfirmed.add("channel")
    story.send_to("channel", "c1", *READERS)
    for reader in READERS:
        story.show("c1", phone=reader)
    story.show("c1", "another", phone="reader")
    story.tell(kind=Kind.SUCCEEDED, command_id="c1", message_id="wa-c1")

    assert breaches(story) == [Breach.COMMAND_DOUBLED]


@pytest.mark.parametrize(
    ("later", "is_lost"), [(POST_SECONDS - 1, False), (POST_SECONDS + 1, True)]
)
def test_what_a_channel_posts_and_does_not_arrive(later: float, *, is_lost: bool) -> None:
    """The death of a host is its cause if that was soon: nobody knows when it was confirmed."""
    story = Story.clean()
    story.write("p1", is_post=True, stream="news")
    story.now += later
    story.impact()

    verdict = audit(story.history())

    assert [one.breach for one in verdict.offences] == [Breach.MESSAGE_LOST] * is_lost
    assert len(verdict.inbound.lost_in_window) == (not is_lost)
    assert verdict.inbound.posted == 1


def test_posts_of_a_channel_keep_their_order() -> None:
    """Among themselves, whatever else its owner writes."""
    story = Story.linked()
    for number in range(2):
        story.write(f"p{number}", is_post=True, stream="news")
    story.write("m2", stream="two")
    for message_id in ("p1", "m2", "p0"):
        story.tell(kind=Kind.RECEIVED, message_id=message_id)

    assert breaches(story) == [Breach.OUT_OF_ORDER]


@pytest.mark.parametrize("case", ["taken over", "handed over", "posted when the new one was there"])
def test_a_post_from_a_dead_workers_disk_has_no_order(case: str) -> None:
    """It came to the former owner, which passes it on when it is back; nothing else is late."""
    story = Story.linked()
    moved = StatusReason.HANDED_OVER if case == "handed over" else StatusReason.TAKEN_OVER
    is_late = case == "taken over"
    if case != "posted when the new one was there":
        story.write("p0", is_post=True, stream="news")
    story.status(SessionState.CONNECTING, moved, worker="b")
    story.status(SessionState.CONNECTED, StatusReason.LOGIN_SUCCEEDED, worker="b")
    story.now += 5
    if case == "posted when the new one was there":
        story.write("p0", is_post=True, stream="news")
    story.write("p1", is_post=True, stream="news")
    for message_id in ("p1", "p0"):
        story.tell(kind=Kind.RECEIVED, message_id=message_id)

    assert [one.identity for one in audit(story.history()).late] == ["p0"] * is_late
    assert breaches(story) == [Breach.OUT_OF_ORDER] * (not is_late)


def test_the_outcome_of_a_status_post_names_it() -> None:
    """So it can be held against what the phones show."""
    info = StatusInfo(message_id="3EB0AB", chat=STATUS, timestamp=datetime.now(UTC), recipients=2)
    event = CommandSucceeded(
        source="wa://worker/a",
        subject="one",
        correlationid="c1",
        data=CommandSucceededData(command_type="wa.status.post.v1", result=info),
    )

    told = seen_in(event, came=0.0)

    assert (told.kind, told.command_id, told.message_id) == (Kind.SUCCEEDED, "c1", "3EB0AB")
