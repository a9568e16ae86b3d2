"""What says that a queue has handed out all that it got back, and in which order that was."""

from typing import Any

import pytest

from gateway_worker.broker.redelivery_buffer import holds_nothing, returns_of


@pytest.mark.parametrize(
    ("messages", "consumers", "is_empty"),
    [
        (0, 1, True),
        (0, 3, True),  # ours, and those that it has taken the place of
        (7, 1, False),
        (7, 0, False),
        (0, 0, False),  # what the broker says of a queue whose leader does not answer it
    ],
)
def test_a_queue_is_empty_if_the_broker_has_asked_it(
    messages: int, consumers: int, *, is_empty: bool
) -> None:
    """It knows of our consumer then."""
    assert holds_nothing(messages, consumers=consumers) is is_empty


@pytest.mark.parametrize(
    ("version", "headers", "returns"),
    [
        ((3, 10), {"x-delivery-count": 2}, 2),
        ((3, 10), {"x-delivery-count": 2, "x-acquired-count": 1_000}, 2),
        ((), {"x-delivery-count": 2, "x-acquired-count": 1_000}, 2),
        ((4, 2), {"x-acquired-count": 1_000}, 0),
        ((4, 3), {"x-acquired-count": 3}, 3),
        ((4, 3), {"x-acquired-count": 3, "x-delivery-count": 1_000}, 3),
        ((4, 3), {"x-delivery-count": 2}, 2),
        ((5, 0), {"x-acquired-count": 3, "x-delivery-count": 1}, 3),
        ((3, 10), {"x-delivery-count": "7"}, 0),
        ((3, 10), {"x-delivery-count": True}, 0),
    ],
)
def test_only_what_the_broker_counts_says_how_often_a_message_was_given_back(
    version: tuple[int, ...], headers: dict[str, Any], returns: int
) -> None:
    """It writes over what it counts; the rest is the sender's, who would overtake others by it."""
    assert returns_of(headers, broker_version=version) == returns
