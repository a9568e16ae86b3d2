"""How fast is read from the broker while large bodies are in memory."""

import asyncio
import time

import pytest

from gateway_worker.broker.intake import SLOW_SECONDS, SLOWEST_SECONDS, SMALL_BYTES, Intake
from gateway_worker.broker.tolerant_transport import FrameReader
from tests.support.eventually import eventually

MOST = 100 * SMALL_BYTES
FRAME = b"\x08\x00\x00\x00\x00\x00\x00\xce"
"""A heartbeat."""


@pytest.fixture
def intake() -> Intake:
    """Return a bound of which nothing is taken."""
    return Intake(most_bytes=MOST)


@pytest.mark.parametrize(
    ("held", "seconds"),
    [
        (MOST * 3 // 2, 0.0),
        (MOST * 3 // 2 + 1, SLOW_SECONDS),
        (MOST * 2, SLOW_SECONDS),
        (MOST * 2 + 1, SLOWEST_SECONDS),
        (MOST * 50, SLOWEST_SECONDS),
    ],
)
def test_the_more_is_held_the_slower_is_read(intake: Intake, held: int, seconds: float) -> None:
    """But never more slowly than a broker puts up with."""
    intake.hold(held)
    assert intake.pause_seconds == seconds
    assert intake.is_slow is (seconds > 0)


def test_what_is_small_does_not_count(intake: Intake) -> None:
    """Its number bounds it."""
    for _ in range(1_000):
        intake.hold(SMALL_BYTES)
    assert intake.held_bytes == 0
    intake.release(SMALL_BYTES)
    assert intake.held_bytes == 0


def test_reading_is_fast_again_once_there_is_room(intake: Intake) -> None:
    """Not from one body to the next slow and fast in turn."""
    intake.hold(MOST)
    intake.hold(MOST)
    assert intake.is_slow
    intake.release(MOST * 3 // 4)
    assert (intake.is_slow, intake.pause_seconds) == (True, 0.0)
    intake.release(MOST // 4)
    assert (intake.is_slow, intake.held_bytes) == (False, MOST)


async def test_a_pause_ends_when_there_is_room(intake: Intake) -> None:
    """Whoever waits does not wait for the whole of it."""
    intake.hold(MOST * 3)
    pausing = asyncio.create_task(intake.pause())
    await asyncio.sleep(0)
    assert not pausing.done()
    intake.release(MOST * 3)
    await eventually(pausing.done)


async def test_frames_are_read_more_slowly(intake: Intake) -> None:
    """Each time that something is to be read from the socket; what was read needs no pause."""
    stream = asyncio.StreamReader()
    stream.feed_data(2 * FRAME)
    reader = FrameReader(stream, intake=intake)
    intake.hold(MOST * 2)

    began = time.monotonic()
    first = await read(reader)
    assert time.monotonic() - began >= SLOW_SECONDS * 0.9
    assert [first, await read(reader)] == [FRAME, FRAME]


async def read(reader: FrameReader) -> bytes:
    """Read a frame as the library does."""
    parts = [await reader.readexactly(size) for size in (1, 6, 1)]
    return b"".join(parts)
