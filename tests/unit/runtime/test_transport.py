"""What event loops raise where something is written to a connection that is gone."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from gateway_worker.runtime.transport import is_of_transport


async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be a server that ends each connection."""
    writer.close()
    await writer.wait_closed()


async def written_when_gone() -> Exception | None:
    """Return what comes of writing to a connection that is closed on this side."""
    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        await reader.read()
        writer.write_eof()
        try:
            writer.writelines([b"one", b"two"])
        except Exception as error:  # noqa: BLE001 - whatever it is
            return error
        finally:
            writer.transport.abort()
        return None


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_a_loop_raises_is_of_the_transport(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """Whatever its class."""
    with asyncio.Runner(loop_factory=loop) as runner:
        error = runner.run(written_when_gone())
    assert error is not None
    assert not isinstance(error, OSError)
    assert is_of_transport(error)


def test_a_callers_own_mistake_is_not() -> None:
    """It would be made again for ever."""
    with pytest.raises(TypeError) as caught:
        len(3)  # type: ignore[arg-type]
    assert not is_of_transport(caught.value)


def test_an_error_that_was_never_raised_is_not() -> None:
    """It has no place."""
    assert not is_of_transport(ValueError("x"))


def test_libraries_can_be_named() -> None:
    """Such as a driver."""
    with pytest.raises(ValueError, match="Expecting") as caught:
        __import__("json").loads("{")
    assert not is_of_transport(caught.value)
    assert is_of_transport(caught.value, "json")
