"""Prints for people, as tables, or for programs, as JSON.

What is printed was written by others: characters that a terminal would act upon are replaced.
"""

import base64
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def say(text: str) -> None:
    """Print a line of the answer."""
    sys.stdout.write(f"{text}\n")


def complain(text: str) -> None:
    """Print a line of what is wrong."""
    sys.stderr.write(f"gateway-worker: {text}\n")


def as_json(value: Any) -> str:
    """Write values as JSON; times in RFC 3339."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_time)


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Lay out rows under the names of their columns; all have the same ones."""
    names = list(rows[0])
    lines = [[name.upper() for name in names]]
    lines += [[plain(_shown(row[name])) for name in names] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def plain(text: str) -> str:
    """Return one line without characters that a terminal would act upon."""
    return "".join(letter if letter.isprintable() else REPLACEMENT for letter in text)


def body_text(body: bytes) -> str:
    """Return a body for people: laid out if it is JSON, otherwise as it is, line by line."""
    try:
        text = as_json(json.loads(body))
    except (ValueError, RecursionError):
        text = body.decode(errors="replace")
    return "\n".join(plain(line) for line in text.split("\n"))


def body_value(body: bytes) -> dict[str, str]:
    """Return a body for programs, exactly: as text, or in base64 if it is none."""
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def _shown(value: object) -> str:
    if value is None or value == "":
        return "-"
    return _time(value) if isinstance(value, datetime) else str(value)


def _time(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    raise TypeError(f"no JSON for {type(value).__name__}")
