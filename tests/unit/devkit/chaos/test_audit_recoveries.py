"""The auditor measures how long it is felt that a service, or a node of one, was lost."""

from dataclasses import replace

from gateway_worker.devkit.chaos.audit import audit
from gateway_worker.devkit.chaos.history import History, Strike
from tests.unit.devkit.chaos.builder import Story


def struck(story: Story, *at: float) -> History:
    """Return a story's history, with a loss of the same kind at each moment."""
    return replace(story.history(), strikes=[Strike(kind="node_kill", at=one) for one in at])


def test_the_longest_time_without_a_success_counts() -> None:
    """From the last success before the loss on; what is long before or long after does not."""
    story = Story.linked()
    strikes = []
    for number, seconds in enumerate((40, 0, 0, 6, *[0] * 15, 100)):
        story.now += seconds
        story.send(f"c{number}")
        story.succeed(f"c{number}")
        if number == 2:
            strikes.append(story.now + 1)

    (recovery,) = audit(struck(story, *strikes)).recoveries.values()
    assert recovery.pauses.seconds == (8.0,)  # six, and the two steps of a send


def test_the_slowest_command_counts_from_the_loss_on() -> None:
    """One that was under way, too; not one that was sent long after, nor one with a time."""
    story = Story.linked()
    story.send("before")
    story.later("scheduled")
    first = story.now + 1
    story.send("after")
    story.now += 5
    story.succeed("before")
    story.succeed("after")
    story.succeed("scheduled")
    story.now += 100
    second = story.now
    story.send("well")
    story.succeed("well")
    story.now += 40
    story.send("long after")
    story.now += 20
    story.succeed("long after")

    (recovery,) = audit(struck(story, first, second)).recoveries.values()
    assert recovery.waits.seconds == (1.0, 7.0)


def test_what_one_loss_has_stopped_is_not_counted_for_the_next() -> None:
    """Which came while nothing went on, and is over when it does."""
    story = Story.linked()
    story.send("before")
    story.succeed("before")
    first = story.now + 1
    story.now += 10
    story.send("between")
    second = story.now + 1
    story.now += 10
    story.succeed("between")

    (recovery,) = audit(struck(story, first, second)).recoveries.values()
    assert recovery.pauses.seconds == (0.0, 22.0)
    assert recovery.waits.seconds == (0.0, 11.0)


def test_without_losses_there_are_none() -> None:
    """Nothing is made up."""
    assert audit(Story.clean().history()).recoveries == {}
