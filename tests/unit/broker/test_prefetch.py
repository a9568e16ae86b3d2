"""How wide a prefetch is, and when a consumer is replaced for it."""

import pytest

from gateway_worker.broker.prefetch import WIDEST, Prefetch, wide_enough


def take(prefetch: Prefetch, count: int, *, redelivered: bool = False) -> None:
    """Have so many messages come."""
    for _ in range(count):
        prefetch.delivered(prefetch._last_tag + 1, redelivered=redelivered)


@pytest.fixture
def prefetch() -> Prefetch:
    """Return a prefetch on a new channel with its first consumer."""
    prefetch = Prefetch(size=100, follows=True)
    assert prefetch.grant() == 100
    return prefetch


def test_fresh_messages_change_nothing(prefetch: Prefetch) -> None:
    """The first consumer stays."""
    take(prefetch, 100)
    for tag in range(1, 101):
        prefetch.settled(tag)
        assert not prefetch.is_outdated
    assert not prefetch.is_outdated
    assert prefetch.unsettled == 0


def test_a_full_window_gets_nothing_more(prefetch: Prefetch) -> None:
    """Only what is in hand of the present consumer counts, and only until something is settled."""
    take(prefetch, 99)
    assert (prefetch.unsettled, prefetch.is_full) == (99, False)
    take(prefetch, 1)
    assert (prefetch.unsettled, prefetch.is_full) == (100, True)
    prefetch.settled(100)
    assert (prefetch.unsettled, prefetch.is_full) == (99, False)
    take(prefetch, 1)
    prefetch.resize(200)
    prefetch.grant()
    assert not prefetch.is_full, "it is another consumer's"
    prefetch.reset()
    assert not prefetch.is_full, "there is no consumer"


def test_a_wider_window_counts_what_is_in_hand(prefetch: Prefetch) -> None:
    """The next consumer gets the difference only."""
    take(prefetch, 100)

    prefetch.resize(400)
    assert prefetch.is_outdated
    assert prefetch.grant() == 300
    prefetch.resize(400)
    assert not prefetch.is_outdated


def test_a_narrower_window_takes_hardly_more(prefetch: Prefetch) -> None:
    """Until what is in hand is settled."""
    prefetch.resize(400)
    prefetch.grant()
    take(prefetch, 400)
    prefetch.resize(100)

    assert prefetch.grant() == 1
    assert prefetch.unsettled == 400


def test_the_last_consumer_has_the_whole_window(prefetch: Prefetch) -> None:
    """Once half of it is free, so that consumers do not replace one another for ever."""
    take(prefetch, 60)
    prefetch.resize(120)
    assert prefetch.grant() == 60
    take(prefetch, 10)
    for tag in range(1, 60):
        prefetch.settled(tag)
        assert not prefetch.is_outdated
    prefetch.settled(60)
    assert prefetch.is_outdated
    assert prefetch.grant() == 120
    take(prefetch, 120)
    for tag in range(61, 191):
        prefetch.settled(tag)
        assert not prefetch.is_outdated


def test_redeliveries_are_followed_to_their_end(prefetch: Prefetch) -> None:
    """A prefetch full of them grows until the first fresh message; it doubles each time."""
    grants = []
    come = 0
    while come < 1000:
        step = prefetch._granted
        take(prefetch, step, redelivered=True)
        come += step
        assert prefetch.is_outdated
        grants.append(prefetch.grant())

    assert grants == [100, 200, 400, 800, 1600]
    assert come < 2 * 1000
    take(prefetch, 1)
    assert not prefetch.is_outdated


def test_a_queue_with_other_consumers_is_not_followed() -> None:
    """They have the rest of what was given back, so nothing is put right by taking more."""
    prefetch = Prefetch(size=16, follows=False)
    prefetch.grant()
    take(prefetch, 16, redelivered=True)

    assert not prefetch.is_outdated


def test_the_window_has_an_end() -> None:
    """AMQP has no greater number."""
    prefetch = Prefetch(size=WIDEST, follows=True)
    prefetch.grant()
    take(prefetch, WIDEST, redelivered=True)

    assert not prefetch.is_outdated


def test_a_new_channel_begins_anew(prefetch: Prefetch) -> None:
    """What was in hand on the old one is with the broker again."""
    take(prefetch, 100, redelivered=True)
    prefetch.reset()

    assert not prefetch.is_outdated
    assert prefetch.grant() == 100


@pytest.mark.parametrize(
    ("held", "now", "size"),
    [
        (0, 128, 128),
        (0, 4096, 128),
        (1, 128, 256),
        (128, 128, 256),
        (129, 256, 512),
        (5, 4096, 4096),
        (1000, 128, 2048),
        (1_000_000, 128, WIDEST),
    ],
)
def test_a_window_for_held_commands_doubles_and_ends_with_them(
    held: int, now: int, size: int
) -> None:
    """Few changes, never a narrower one while anything is held."""
    assert wide_enough(128, held, now=now) == size
