"""A server that answers whatever it is asked with the same bytes, and then hangs up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """Yield the port of such a server."""

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.read(1)
            writer.write(answer)
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(on_client, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
