"""What somebody has left who died costs a worker's own commands no room."""

from gateway_worker.broker.intake import SMALL_BYTES
from gateway_worker.broker.room import Room

MOST = 80 * SMALL_BYTES
PART = MOST // 4


def test_what_others_have_left_takes_half_of_the_room() -> None:
    """A sender has as much there as elsewhere."""
    own, others = Room.of_own(MOST), Room.of_others(MOST)
    for room, senders in ((own, 4), (others, 2)):
        for number in range(senders):
            assert room.waiting.have_room(f"{number}", PART)
            assert not room.waiting.have_room(f"{number}", PART + 1)
            room.waiting.add(f"{number}", PART)
        assert not room.waiting.have_room("another", SMALL_BYTES + 1)


def test_one_is_read_slowly_and_the_other_is_not() -> None:
    """Whichever has come too much of."""
    own, others = Room.of_own(MOST), Room.of_others(MOST)
    others.intake.hold(3 * MOST)

    assert (own.intake.pause_seconds, own.intake.is_slow) == (0.0, False)
    assert others.intake.is_slowest
    assert own.waiting.have_room("s", PART)
