"""Which commands are too much for the bytes that those which wait may take."""

import pytest

from gateway_worker.broker.intake import SMALL_BYTES
from gateway_worker.broker.unsettled_bytes import SENDERS, UnsettledBytes

SHARE = 10 * SMALL_BYTES


@pytest.fixture
def held() -> UnsettledBytes:
    """Return a bound of which nothing is taken."""
    return UnsettledBytes(most=SENDERS * SHARE, of_sender=SHARE)


def test_a_sender_has_its_share_and_no_more(held: UnsettledBytes) -> None:
    """Others have room beside it."""
    held.add("mallory", SHARE)

    assert not held.have_room("mallory", SMALL_BYTES + 1)
    assert held.have_room("acme", SHARE)
    assert not held.have_room("acme", SHARE + 1)


def test_many_senders_have_no_more_than_there_is(held: UnsettledBytes) -> None:
    """Whoever has many sessions does not get past the bound with them."""
    for number in range(SENDERS):
        held.add(f"mallory-{number}", SHARE)

    assert held.total == SENDERS * SHARE
    assert not held.have_room("acme", SMALL_BYTES + 1)


def test_what_is_small_always_has_room(held: UnsettledBytes) -> None:
    """Nobody's texts are refused because somebody else sends much; they count all the same."""
    held.add("mallory", 2 * SENDERS * SHARE)

    assert held.have_room("mallory", SMALL_BYTES)
    assert held.have_room("acme", SMALL_BYTES)
    held.add("acme", SMALL_BYTES)
    assert held.total == 2 * SENDERS * SHARE + SMALL_BYTES


def test_what_is_settled_makes_room(held: UnsettledBytes) -> None:
    """Also an empty body; of a sender who has nothing here any more, nothing is kept."""
    for sender, size in (("acme", SHARE), ("acme", 1), ("mallory", 0)):
        held.add(sender, size)
    for sender, size in (("acme", SHARE), ("acme", 1), ("mallory", 0)):
        held.remove(sender, size)

    assert held.have_room("acme", SHARE)
    assert (held.total, held._of_senders) == (0, {})
