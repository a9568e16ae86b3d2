"""Makes commands out of words; what the gateway would refuse is refused before anything is sent."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import typer

from gateway_contracts import Command, CommandRejectedError, new_id, parse_command
from gateway_worker.ctl.output import plain


def build_command(
    command_type: str,
    session: str,
    data: Mapping[str, Any],
    *,
    source: str,
    command_id: str | None = None,
) -> Command:
    """Return a command, checked as the gateway checks it; fields that are None are left out.

    Raises:
        typer.BadParameter: It is none; the message has all that is wrong with it.
    """
    envelope = {
        "specversion": "1.0",
        "id": command_id or new_id(),
        "source": source,
        "type": full_type(command_type),
        "subject": session,
        "data": given(data),
    }
    try:
        return parse_command(json.dumps(envelope).encode())
    except CommandRejectedError as rejected:
        faults = [f"{fault.pointer}: {fault.detail}" for fault in rejected.error.errors]
        detail = rejected.error.detail or rejected.error.title
        raise typer.BadParameter(plain("; ".join(faults) or detail)) from None


def full_type(name: str) -> str:
    """Return a command's type: `contact.check` is `wa.contact.check.v1`."""
    return name if name.startswith("wa.") else f"wa.{name}.v1"


def given(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not None, also of what is within."""
    return {
        name: given(value) if isinstance(value, Mapping) else value
        for name, value in data.items()
        if value is not None
    }


def json_of(text: str) -> dict[str, Any]:
    """Read a JSON object, or with `@` in front the file that has it.

    Raises:
        typer.BadParameter: It is none.
    """
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        value = json.loads(text)
    except OSError as error:
        raise typer.BadParameter(f"the file cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise typer.BadParameter(f"this is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise typer.BadParameter("a JSON object is expected")
    return value


def with_fields(data: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """Return data with fields added: `name=text`, `name:=JSON`, `outer.inner=text`.

    Raises:
        typer.BadParameter: A field is not written so.
    """
    result = deepcopy(dict(data))
    for field in fields:
        name, separator, text = field.partition("=")
        value: Any = text
        if name.endswith(":"):
            name = name[:-1]
            try:
                value = json.loads(text)
            except ValueError as error:
                raise typer.BadParameter(f"{plain(name)} is no JSON: {error}") from None
        *outer, last = name.split(".")
        if not separator or not all((*outer, last)):
            raise typer.BadParameter(f"a field is NAME=TEXT or NAME:=JSON, not {plain(field)!r}")
        place = result
        for part in outer:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise typer.BadParameter(f"{plain(part)} in {plain(name)} has no fields")
        place[last] = value
    return result


def labels_of(pairs: Sequence[str]) -> dict[str, str]:
    """Read `name=value` pairs.

    Raises:
        typer.BadParameter: One is not written so.
    """
    labels = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise typer.BadParameter(f"a label is NAME=VALUE, not {plain(pair)!r}")
        labels[name] = value
    return labels
