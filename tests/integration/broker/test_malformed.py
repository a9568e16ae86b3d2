"""Messages that the client library cannot decode: they must not take the connection with them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from aiormq import spec
from aiormq.abc import ChannelFrame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from gateway_worker.broker import BrokerSettings
from tests.integration.broker.support import Backend, Mill, consuming
from tests.support.eventually import eventually

TIMESTAMP = datetime(2026, 1, 1, tzinfo=UTC)
MICROSECONDS = 1_800_000_000_000_000


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """Return what swaps bytes in an encoded message, which no client library would encode."""

    def swap(payload: bytes) -> bytes:
        assert payload.count(old) == 1
        assert len(old) == len(new)
        return payload.replace(old, new)

    return swap


async def send_raw(
    backend: Backend, body: str, *, key: str, corrupt: Callable[[bytes], bytes]
) -> None:
    """Publish a message after a change to its bytes."""
    # Open until the connection closes: what nobody confirms may get lost with its channel.
    channel = await backend.connection.channel(publisher_confirms=False)
    raw = await channel.get_underlay_channel()
    frame = ChannelFrame.marshall(
        raw.number,
        [
            spec.Basic.Publish(exchange=backend.topology.commands, routing_key=key),
            ContentHeader(
                body_size=len(body),
                properties=spec.Basic.Properties(
                    message_id="the-id",
                    timestamp=TIMESTAMP,
                    delivery_mode=2,
                    headers={"name": "value"},
                ),
            ),
            ContentBody(body.encode()),
        ],
    )
    await raw.connection.write_queue.put(
        ChannelFrame(payload=corrupt(frame.payload), should_close=False)
    )


@pytest.mark.parametrize(
    ("key", "corrupt"),
    [
        pytest.param(
            "s1",
            replaced(
                int(TIMESTAMP.timestamp()).to_bytes(8, "big"), MICROSECONDS.to_bytes(8, "big")
            ),
            id="timestamp in microseconds",
        ),
        pytest.param(
            "s1",
            replaced(int(TIMESTAMP.timestamp()).to_bytes(8, "big"), b"\xff" * 8),
            id="timestamp out of all ranges",
        ),
        pytest.param("s1", replaced(b"the-id", b"the-\xff\xfe"), id="id that is no UTF-8"),
        pytest.param("s1", replaced(b"\x04name", b"\x04na\xff\xfe"), id="header that is no UTF-8"),
        pytest.param("nobody", replaced(b"nobody", b"nobod\xff"), id="key that is no UTF-8"),
    ],
)
async def test_a_message_with_unreadable_properties_is_handed_on(
    settings: BrokerSettings, backend: Backend, key: str, corrupt: Callable[[bytes], bytes]
) -> None:
    """It reaches the dispatcher by its body, and the commands around it are unharmed."""
    mill = Mill()
    async with consuming(settings, mill, "s1") as (broker, _):
        await backend.send("s1 1")
        await send_raw(backend, "s1 2", key=key, corrupt=corrupt)
        await eventually(lambda: "s1 2" in mill.executed)
        await backend.send("s1 3")
        await eventually(lambda: "s1 3" in mill.executed)

        assert sorted(mill.executed) == ["s1 1", "s1 2", "s1 3"]
        assert broker.stats().reconnects == 0
        assert broker.check().ready
