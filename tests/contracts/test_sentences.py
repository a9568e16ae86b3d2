"""Whoever reads what is wrong with a command reads sentences, not regular expressions."""

import json

import pytest

from gateway_contracts import CommandRejectedError, parse_command
from gateway_contracts.model import SENTENCES
from gateway_contracts.spec.catalog import COMMANDS
from tests.contracts.support import described, nodes


@pytest.mark.parametrize("message_type", COMMANDS)
def test_each_pattern_has_its_sentence(message_type: str) -> None:
    patterns = {
        node["pattern"]
        for node in nodes(described(message_type))
        if isinstance(node.get("pattern"), str)
    }
    assert len(patterns) > 3
    assert patterns <= set(SENTENCES)


@pytest.mark.parametrize(
    "to", ["+49 170 1234567", "+49-170-1234567", "0170 1234567", "(030) 12", ""]
)
def test_a_number_as_people_write_it(to: str) -> None:
    sent = {
        "specversion": "1.0",
        "id": "x",
        "source": "/backends/test",
        "type": "wa.message.send.v1",
        "subject": "s",
        "data": {"to": to, "content": {"kind": "text", "text": "hi"}},
    }
    with pytest.raises(CommandRejectedError) as caught:
        parse_command(json.dumps(sent).encode())
    (fault,) = caught.value.error.errors
    assert fault.pointer == "/data/to"
    assert "phone number in international form" in fault.detail
    assert "no spaces" in fault.detail
    assert "^" not in fault.detail
