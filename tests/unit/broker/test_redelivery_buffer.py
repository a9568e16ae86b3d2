"""What says that a queue has handed out all that it got back."""

import pytest

from gateway_worker.broker.redelivery_buffer import holds_nothing


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
