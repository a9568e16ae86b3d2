"""Where exactly one of some fields is to be given, models and schemas agree on what that is."""

import json
from itertools import product
from typing import Any

import pytest

from gateway_contracts import CommandRejectedError, parse_command
from gateway_contracts.model import OneOfModel
from gateway_contracts.spec.catalog import COMMANDS
from gateway_contracts.spec.examples import load_examples
from tests.contracts.support import message_validator

VALUES: dict[str, Any] = {
    "about": "",
    "channel": "120363025246125486@newsletter",
    "client_ref": "order 17",
    "command_id": "c1",
    "file": {"media": {"source": "object", "key": "shared/lists/a.csv"}, "format": "csv"},
    "from_sequence": 1,
    "invite": "0029Va4K0PZ5a245Nkngx",
    "message_id": "3EB0C767D82B0A7C1F3E",
    "picture": {"source": "url", "url": "https://example.com/a.jpg"},
    "push_name": "Shop",
    "rows": [{"to": "+12025550100", "content": {"kind": "text", "text": "hello"}}],
    "since": "2026-11-24T09:30:03Z",
}
GOLDEN = {golden.type: golden.payload for golden in load_examples() if golden.type in COMMANDS}
ONE_OF = {
    name: data.one_of
    for name, model in COMMANDS.items()
    if isinstance(data := model.model_fields["data"].annotation, type)
    and issubclass(data, OneOfModel)
}
ABSENT = object()


def _cases() -> list[tuple[str, dict[str, Any], bool]]:
    """Each way in which the fields of each command may be absent, null, empty or given."""
    return [
        (name, dict(zip(fields, values, strict=True)), _given(values) == 1)
        for name, fields in ONE_OF.items()
        for values in product(*(_ways(field) for field in fields))
    ]


def _ways(field: str) -> tuple[Any, ...]:
    return (ABSENT, [] if field == "rows" else None, VALUES[field])


def _given(values: tuple[Any, ...]) -> int:
    return sum(value is not ABSENT and value is not None and value != [] for value in values)


def test_there_are_some() -> None:
    """The rule is looked for where it is."""
    assert len(ONE_OF) >= 5


@pytest.mark.parametrize(("name", "fields", "is_good"), _cases())
def test_exactly_one_is_taken(name: str, fields: dict[str, Any], *, is_good: bool) -> None:
    """By the model, and by the schema that a backend may check with."""
    kept = {key: value for key, value in GOLDEN[name]["data"].items() if key not in fields}
    given = {key: value for key, value in fields.items() if value is not ABSENT}
    payload = {**GOLDEN[name], "data": {**kept, **given}}

    assert message_validator(name).is_valid(payload) is is_good
    if is_good:
        parse_command(json.dumps(payload).encode())
    else:
        with pytest.raises(CommandRejectedError) as refused:
            parse_command(json.dumps(payload).encode())
        (fault,) = refused.value.error.errors
        assert "exactly one of" in fault.detail
