"""What callers are written whose calls are refused."""

from datetime import UTC, datetime

import pytest

from gateway_contracts import (
    CallReceived,
    CallReceivedData,
    MessageSend,
    Participant,
    TextToSend,
    parse_command,
)
from gateway_worker.commands.call_answers import answer_to

BEN = "4915500001@s.whatsapp.net"


def call_of(caller: str) -> CallReceived:
    """Return a call."""
    data = CallReceivedData(
        call_id="C1",
        chat=caller,
        caller=Participant(jid=caller),
        creator="77@lid",
        timestamp=datetime.now(UTC),
    )
    return CallReceived(id="E1", source="/workers/w", subject="s", data=data)


def test_it_is_a_command_like_any_other() -> None:
    """Of its call, so that it is the same for a call that is told again."""
    first, again = answer_to(call_of(BEN), "Please write"), answer_to(call_of(BEN), "Please write")
    command = parse_command(first.body)

    assert isinstance(command, MessageSend)
    assert (command.id, command.subject, command.data.to) == ("E1-answer", "s", BEN)
    assert command.data.content == TextToSend(text="Please write")
    assert (first.command_id, first.command_type) == (command.id, command.type)
    assert (again.command_id, again.fingerprint) == (first.command_id, first.fingerprint)


def test_a_caller_whom_nobody_can_write_to() -> None:
    """It is said so."""
    with pytest.raises(ValueError, match="to"):
        answer_to(call_of("unknown"), "Please write")
