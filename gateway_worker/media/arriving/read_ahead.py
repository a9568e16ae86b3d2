"""Reads a stream while what it has brought before is still being dealt with."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing


async def read_ahead(
    pieces: AsyncGenerator[bytes, None], *, pieces_ahead: int
) -> AsyncGenerator[bytes, None]:
    """Return the pieces of a stream, of which so many may wait; leave early with `aclosing` only.

    What the stream raises comes in its place, and the stream is closed in the end.
    """
    waiting: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(maxsize=pieces_ahead)

    async def read() -> None:
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    await waiting.put(piece)
        except Exception as error:  # noqa: BLE001 - whoever reads gets it
            await waiting.put(error)
        else:
            await waiting.put(None)

    reading = asyncio.create_task(read(), name="media.read_ahead")
    try:
        while (piece := await waiting.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
