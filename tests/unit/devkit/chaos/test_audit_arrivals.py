"""The auditor finds messages that were lost or doubled, and knows when nobody could help it."""

import pytest

from gateway_worker.devkit.chaos.audit import Breach, audit
from gateway_worker.devkit.chaos.audit.arrivals import WINDOW_SECONDS
from gateway_worker.devkit.chaos.history import ImpactKind, Kind
from tests.unit.devkit.chaos.builder import Story, breaches


def test_a_message_without_an_event_is_lost() -> None:
    """No host was killed, so there is no excuse."""
    story = Story.clean()
    story.write("m3")
    verdict = audit(story.history())

    assert [one.breach for one in verdict.offences] == [Breach.MESSAGE_LOST]
    assert (verdict.inbound.sent, verdict.inbound.delivered, verdict.inbound.lost) == (4, 3, 1)


@pytest.mark.parametrize(
    "kind", [ImpactKind.HOST_KILLED, ImpactKind.PAUSED, ImpactKind.LIBRARY_STOPPED]
)
def test_a_message_lost_with_its_host_is_inside_the_window(kind: ImpactKind) -> None:
    """The library had confirmed it; the host died within two seconds."""
    story = Story.clean()
    story.write("m3")
    story.now += WINDOW_SECONDS
    story.impact(kind)
    verdict = audit(story.history())

    assert verdict.passed
    assert verdict.inbound.lost == 1
    assert [one.identity for one in verdict.inbound.lost_in_window] == ["m3"]


@pytest.mark.parametrize("excuse", ["too late", "never confirmed", "only frozen", "elsewhere"])
def test_a_message_lost_without_an_excuse_is_outside_the_window(excuse: str) -> None:
    """Only a kill at that moment, of that host, counts."""
    story = Story.clean()
    story.write("m3", confirmed=excuse != "never confirmed")
    story.now += 10 if excuse == "too late" else 0
    story.impact(
        ImpactKind.FROZEN if excuse == "only frozen" else ImpactKind.HOST_KILLED,
        session_id="two" if excuse == "elsewhere" else "one",
    )

    assert breaches(story) == [Breach.MESSAGE_LOST]


def test_an_announced_loss_needs_a_killed_host_too() -> None:
    """`message.undecryptable` names it: inside the window only if a kill came before that."""
    story = Story.clean()
    story.write("m3", confirmed=False)
    story.now += 20
    unexcused = story.tell(kind=Kind.UNDECRYPTABLE, message_id="m3")
    assert breaches(story) == [Breach.MESSAGE_LOST]
    story.now = unexcused.at - 10
    story.impact()

    assert breaches(story) == []


@pytest.mark.parametrize(("kills", "expected"), [(29, [Breach.TOO_MANY_LOST]), (30, [])])
def test_more_than_one_message_lost_in_ten_kills_is_too_many(
    kills: int, expected: list[Breach]
) -> None:
    """Each inside the window, but together too many."""
    story = Story.clean()
    for number in range(3, 6):
        story.write(f"m{number}")
        story.impact()
    for _ in range(kills - 3):
        story.impact()

    assert breaches(story) == expected


def test_a_message_with_two_events_is_doubled() -> None:
    """Two events of different ids for one message."""
    story = Story.clean()
    story.tell(kind=Kind.RECEIVED, message_id="m2")

    assert breaches(story) == [Breach.MESSAGE_DOUBLED]


def test_a_message_that_nobody_wrote_is_named() -> None:
    """An event about nothing."""
    story = Story.clean()
    story.tell(kind=Kind.RECEIVED, message_id="m9")

    assert breaches(story) == [Breach.MESSAGE_DOUBLED]
