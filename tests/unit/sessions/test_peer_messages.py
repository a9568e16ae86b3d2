"""What workers send each other is read whole, as long as the broker takes it."""

from pathlib import Path

from gateway_worker.sessions.peer_messages import (
    MAX_PEER_MESSAGE_BYTES,
    PeerMessage,
    PeerMessageKind,
)

CONFIGURATION = Path(__file__).parents[3] / "deploy" / "rabbitmq" / "rabbitmq.conf"


def test_a_large_message_that_arrived_elsewhere_is_read() -> None:
    """Its sender has it no more once the broker has taken it."""
    event = b'{"text":"' + b"x" * (3 * 1024 * 1024) + b'"}'
    sent = PeerMessage(kind=PeerMessageKind.FORWARDED, session_id="s", epoch=3, events=(event,))

    assert PeerMessage.decode("late", sent.encode()) == sent


def test_whatever_the_broker_takes_is_read() -> None:
    """Set up as it is shipped."""
    assert f"max_message_size = {MAX_PEER_MESSAGE_BYTES}\n" in CONFIGURATION.read_text()
