"""What a command says, as a short text: by it a repeat is told from another command of its id.

What counts is what would be executed: type, session and data, as they were understood. How they
were written (the order of fields, white space, `42.0` for `42`, a default that is spelt out, fields
that this release does not know) does not; nor do time, source, tenant, deadline and trace, which a
backend may well set anew when it publishes a command again.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any

import orjson
from pydantic import BaseModel

from gateway_contracts import Command

_TAGS = frozenset({"kind", "method"})
"""Which kind of a thing it is: it counts though it is the default of its class."""
_DIGEST_BYTES = 16
_PLAIN = frozenset({str, int, float, bool, type(None)})


def fingerprint(command: Command) -> str:
    """Return a text of 32 characters. It stays the same when a later release adds fields."""
    said = [command.type, command.subject, _canonical(command.data)]
    body = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(body, digest_size=_DIGEST_BYTES).hexdigest()


def _canonical(value: Any) -> Any:
    """Return a value of plain JSON; what a model has by default is left out."""
    return value if type(value) in _PLAIN else _made_plain(value)


def _made_plain(value: Any) -> Any:
    match value:
        case BaseModel():
            defaults = _defaults(type(value))
            return {
                name: _canonical(part)
                for name, part in value
                if name in _TAGS or part != defaults[name]
            }
        case Enum():
            return value.value
        case datetime():
            return value.astimezone(UTC).isoformat()
        case dict():
            return {name: _canonical(part) for name, part in value.items()}
        case list() | tuple():
            return [_canonical(part) for part in value]
        case _:
            return value


@cache
def _defaults(model: type[BaseModel]) -> Mapping[str, Any]:
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in model.model_fields.items()
    }
