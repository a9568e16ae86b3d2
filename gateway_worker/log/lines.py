"""The fields that every line has, and how fields become text."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import orjson

_JSON_OPTIONS: Final = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS


def to_json(fields: dict[str, Any]) -> str:
    """Render plain fields as one line of JSON, whatever their texts are made of."""
    try:
        return orjson.dumps(fields, option=_JSON_OPTIONS).decode()
    except TypeError:  # half of a surrogate pair, an integer of more than 64 bits
        return json.dumps(fields, default=str)


def head(level: str, name: str) -> dict[str, Any]:
    """Return what a line of now begins with."""
    return {"timestamp": now(), **named(level, name)}


def now() -> str:
    """Return the time as lines have it: UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def named(level: str, name: str) -> dict[str, Any]:
    """Return the level and the logger of a line, before its event."""
    return {"level": level, "event": "", "logger": name}
