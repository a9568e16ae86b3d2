"""How wide a window is, and when a consumer is replaced for it."""

import pytest

from gateway_worker.broker.window import WIDEST, Window, wide_enough


def take(window: Window, count: int, *, redelivered: bool = False) -> None:
    """Have so many messages come."""
    for _ in range(count):
        window.delivered(window._last_tag + 1, redelivered=redelivered)


@pytest.fixture
def window() -> Window:
    """Return a window on a new channel with its first consumer."""
    window = Window(size=100, follows=True)
    assert window.grant() == 100
    return window


def test_fresh_messages_change_nothing(window: Window) -> None:
    """The first consumer stays."""
    take(window, 100)
    for tag in range(1, 101):
        window.settled(tag)
        assert not window.is_outdated
    assert not window.is_outdated
    assert window.in_hand == 0


def test_a_full_window_gets_nothing_more(window: Window) -> None:
    """Only what is in hand of the present consumer counts, and only until something is settled."""
    take(window, 99)
    assert (window.in_hand, window.is_full) == (99, False)
    take(window, 1)
    assert (window.in_hand, window.is_full) == (100, True)
    window.settled(100)
    assert (window.in_hand, window.is_full) == (99, False)
    take(window, 1)
    window.resize(200)
    window.grant()
    assert not window.is_full, "it is another consumer's"
    window.reset()
    assert not window.is_full, "there is no consumer"


def test_a_wider_window_counts_what_is_in_hand(window: Window) -> None:
    """The next consumer gets the difference only."""
    take(window, 100)

    window.resize(400)
    assert window.is_outdated
    assert window.grant() == 300
    window.resize(400)
    assert not window.is_outdated


def test_a_narrower_window_takes_hardly_more(window: Window) -> None:
    """Until what is in hand is settled."""
    window.resize(400)
    window.grant()
    take(window, 400)
    window.resize(100)

    assert window.grant() == 1
    assert window.in_hand == 400


def test_the_last_consumer_has_the_whole_window(window: Window) -> None:
    """Once half of it is free, so that consumers do not replace one another for ever."""
    take(window, 60)
    window.resize(120)
    assert window.grant() == 60
    take(window, 10)
    for tag in range(1, 60):
        window.settled(tag)
        assert not window.is_outdated
    window.settled(60)
    assert window.is_outdated
    assert window.grant() == 120
    take(window, 120)
    for tag in range(61, 191):
        window.settled(tag)
        assert not window.is_outdated


def test_redeliveries_are_followed_to_their_end(window: Window) -> None:
    """A window full of them grows until the first fresh message; each time by a part."""
    grants = []
    come = 0
    while come < 1000:
        step = window._granted
        take(window, step, redelivered=True)
        come += step
        assert window.is_outdated
        grants.append(window.grant())

    assert grants[:6] == [1, 1, 1, 1, 2, 3]
    assert len(grants) < 25
    assert come < 1500
    take(window, 1)
    assert not window.is_outdated


def test_a_queue_with_other_consumers_is_not_followed() -> None:
    """They have the rest of what was given back, so nothing is put right by taking more."""
    window = Window(size=16, follows=False)
    window.grant()
    take(window, 16, redelivered=True)

    assert not window.is_outdated


def test_the_window_has_an_end() -> None:
    """AMQP has no greater number."""
    window = Window(size=WIDEST, follows=True)
    window.grant()
    take(window, WIDEST, redelivered=True)

    assert not window.is_outdated


def test_a_new_channel_begins_anew(window: Window) -> None:
    """What was in hand on the old one is with the broker again."""
    take(window, 100, redelivered=True)
    window.reset()

    assert not window.is_outdated
    assert window.grant() == 100


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
