"""A stream is read on while its pieces are dealt with, up to a bound."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from gateway_worker.media.arriving.read_ahead import read_ahead


async def turns(count: int = 50) -> None:
    """Let everything come as far as it can."""
    for _ in range(count):
        await asyncio.sleep(0)


class Stream:
    """Brings numbered pieces, and knows how many have been taken and whether it was closed."""

    def __init__(self, count: int, *, error: Exception | None = None) -> None:
        self._count = count
        self._error = error
        self.taken = 0
        self.is_closed = False

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Bring them."""
        try:
            for number in range(self._count):
                self.taken += 1
                yield bytes([number])
                await asyncio.sleep(0)
            if self._error is not None:
                raise self._error
        finally:
            self.is_closed = True


async def test_all_pieces_come_in_order() -> None:
    """As many as there are, and then the end."""
    stream = Stream(20)
    ahead = read_ahead(stream.pieces(), pieces_ahead=3)

    assert [piece async for piece in ahead] == [bytes([number]) for number in range(20)]
    assert stream.is_closed


async def test_no_more_is_read_than_may_wait() -> None:
    """Beyond that the stream waits: memory has a bound."""
    stream = Stream(20)
    async with aclosing(read_ahead(stream.pieces(), pieces_ahead=3)) as ahead:
        assert await anext(ahead) == b"\0"
        await turns()
        assert stream.taken == 1 + 3 + 1  # one of them is in hand


async def test_a_reader_that_leaves_closes_the_stream() -> None:
    """Also while the stream waits for room."""
    stream = Stream(20)
    async with aclosing(read_ahead(stream.pieces(), pieces_ahead=2)) as ahead:
        await anext(ahead)
        await turns()

    assert stream.is_closed


async def test_a_failure_comes_in_its_place() -> None:
    """After the pieces before it."""
    stream = Stream(3, error=OSError("cut"))
    ahead = read_ahead(stream.pieces(), pieces_ahead=9)

    assert [await anext(ahead) for _ in range(3)] == [b"\0", b"\1", b"\2"]
    with pytest.raises(OSError, match="cut"):
        await anext(ahead)
