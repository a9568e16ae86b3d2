"""Whoever reads what is wrong with a command reads sentences, not regular expressions."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway_contracts import CommandRejectedError, parse_command
from gateway_contracts.model import SENTENCES
from gateway_contracts.spec.catalog import COMMANDS
from gateway_contracts.spec.schemas import message_schema


def patterns(node: Any) -> Iterator[str]:
    """Yield each pattern of a schema that a sender may not keep to."""
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        for value in node.values():
            yield from patterns(value)
    elif isinstance(node, list):
        for value in node:
            yield from patterns(value)


@pytest.mark.parametrize("message", COMMANDS, ids=str)
def test_each_pattern_has_its_sentence(message: Any) -> None:
    assert set(patterns(message_schema(COMMANDS[message]))) <= set(SENTENCES)


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
