"""A publication is written as the protocol has it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame
from pamqp.base import Frame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from gateway_worker.broker.publish_frames import publish_frames

SHORT = st.none() | st.text(max_size=60)
PROPERTIES = {
    "content_type": SHORT,
    "content_encoding": SHORT,
    "headers": st.none()
    | st.dictionaries(st.text(min_size=1, max_size=20), st.integers(-(2**63), 2**63 - 1) | SHORT),
    "delivery_mode": st.none() | st.sampled_from([1, 2]),
    "priority": st.none() | st.integers(0, 255),
    "correlation_id": SHORT,
    "reply_to": SHORT,
    "expiration": SHORT,
    "message_id": SHORT,
    "timestamp": st.none()
    | st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    "message_type": SHORT,
    "user_id": SHORT,
    "app_id": SHORT,
}
"""Strategies of all that goes with a message."""
MOST_BYTES = 16_384
"""More than all of that has."""


@given(
    properties=st.fixed_dictionaries(PROPERTIES),
    body=st.integers(0, 4 * MOST_BYTES).map(bytes),
    key=st.text(max_size=60),
    mandatory=st.booleans(),
    channel=st.integers(1, 2047),
)
def test_the_bytes_are_those_of_the_library(
    *, properties: dict[str, Any], body: bytes, key: str, mandatory: bool, channel: int
) -> None:
    """Whatever goes with a message, and however many frames its body takes."""
    with_body = Basic.Properties(**properties)
    expected: list[Frame | ContentHeader | ContentBody] = [
        Basic.Publish(exchange="wa.events", routing_key=key, mandatory=mandatory),
        ContentHeader(body_size=len(body), properties=with_body),
        *(ContentBody(body[at : at + MOST_BYTES]) for at in range(0, len(body), MOST_BYTES)),
    ]
    assert publish_frames(
        channel,
        body,
        with_body,
        exchange="wa.events",
        routing_key=key,
        mandatory=mandatory,
        most_bytes=MOST_BYTES,
    ) == b"".join(frame.marshal(one, channel) for one in expected)


@pytest.mark.parametrize("field", ["routing_key", "message_id"])
def test_what_is_too_long_is_refused(field: str) -> None:
    """AMQP counts a short text's bytes in one of them."""
    values = {"routing_key": "k", "message_id": "m", field: "ü" * 128}
    with pytest.raises(ValueError, match="range"):
        publish_frames(
            1,
            b"",
            Basic.Properties(message_id=values["message_id"]),
            exchange="wa.events",
            routing_key=values["routing_key"],
            mandatory=True,
            most_bytes=100,
        )


def test_headers_that_no_frame_takes_are_refused() -> None:
    """The broker would end the connection for them, and with it everybody's publications."""
    with pytest.raises(ValueError, match="a frame takes 4088"):
        publish_frames(
            1,
            b"",
            Basic.Properties(message_id="m", headers={"traceparent": "0" * 4096}),
            exchange="wa.internal",
            routing_key="worker.w1",
            mandatory=True,
            most_bytes=4088,
        )
