"""Readiness as each protocol tells it: one exchange on a new connection, no client library."""

import asyncio
import contextlib
import struct

from gateway_worker.devkit.services.loopback import LOOPBACK

PROBE_TIMEOUT_SECONDS = 2.0

AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
AMQP_METHOD_FRAME = 1
AMQP_CONNECTION_START = struct.pack(">HH", 10, 10)
POSTGRES_PROTOCOL_3 = 196608
POSTGRES_AUTHENTICATION = b"R"


async def _ask(port: int, request: bytes, answer_bytes: int) -> bytes:
    """Return the first bytes of the answer, or nothing when there is none (yet)."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(request)
                return await reader.readexactly(answer_bytes)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, EOFError, TimeoutError):
        return b""


async def amqp_answers(port: int) -> bool:
    """Tell whether a broker opens an AMQP 0-9-1 connection."""
    answer = await _ask(port, AMQP_HEADER, 11)
    return answer[:1] == bytes([AMQP_METHOD_FRAME]) and answer[7:11] == AMQP_CONNECTION_START


async def postgres_answers(port: int, *, user: str) -> bool:
    """Tell whether PostgreSQL asks for the password (while starting it sends an error instead)."""
    parameters = b"user\x00" + user.encode() + b"\x00database\x00postgres\x00\x00"
    startup = struct.pack(">II", len(parameters) + 8, POSTGRES_PROTOCOL_3) + parameters
    return await _ask(port, startup, 1) == POSTGRES_AUTHENTICATION


async def redis_answers(port: int, *, password: str) -> bool:
    """Tell whether Redis answers PING after AUTH (while loading its data it refuses)."""
    answer = await _ask(port, f"AUTH {password}\r\nPING\r\n".encode(), 12)
    return answer == b"+OK\r\n+PONG\r\n"


async def tcp_answers(port: int) -> bool:
    """Tell whether anything accepts connections."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
