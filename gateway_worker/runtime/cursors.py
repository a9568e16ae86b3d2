"""Opaque places in lists that are read page by page: JSON in base64, read back with suspicion."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway_worker.errors import InvalidCommandError


def encode(place: Sequence[Any]) -> str:
    """Return a place as a text that is safe in JSON and URLs; moments become RFC 3339."""
    return base64.urlsafe_b64encode(orjson.dumps(list(place))).decode().rstrip("=")


def decode(text: str, *shape: type) -> tuple[Any, ...]:
    """Read what `encode` has made.

    Args:
        text: As a backend gives it back, or made up.
        shape: What each part of the place is: `str`, `int` or `datetime`.

    Raises:
        ValueError: It is no place of this shape.
    """
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        raise ValueError("is no cursor of this gateway") from None
    if not isinstance(parts, list) or len(parts) != len(shape):
        raise ValueError("is no cursor of this command")
    return tuple(map(_part, parts, shape))


def given(cursor: str, *shape: type) -> tuple[Any, ...]:
    """Read the cursor of a command, as `decode` does.

    Raises:
        InvalidCommandError: It is no cursor of this command.
    """
    try:
        return decode(cursor, *shape)
    except ValueError as error:
        raise InvalidCommandError(f"the cursor {error}", pointer="/data/cursor") from None


def name_in(cursor: str | None) -> str:
    """Return the name behind which a list in the order of names goes on; empty at its beginning.

    Raises:
        InvalidCommandError: It is no cursor of such a list.
    """
    if cursor is None:
        return ""
    (name,) = given(cursor, str)
    return str(name)


def _part(value: Any, kind: type) -> Any:
    if kind is datetime and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if not isinstance(value, kind) or (isinstance(value, str) and "\x00" in value):
        raise ValueError("is no cursor of this command")
    return value
