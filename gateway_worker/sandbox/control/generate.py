"""Writes the methods of the client: `python -m gateway_worker.sandbox.control.generate`.

A test compares the file with what this module would write.
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.operation import BODY, QUERY, Operation
from gateway_worker.sandbox.control.routing import operations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

FILE: Final = Path(__file__).with_name("methods.py")
_HEAD: Final = '''"""The client's methods, one for each operation; `generate` writes this file."""

from __future__ import annotations

from typing import Any, Literal

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.caller import Caller
'''
_CLASS: Final = '''

class Methods(Caller):
    """One method per operation; each raises `ControlError` when the sandbox refuses."""
'''
_NAME: Final = re.compile(r"((?:\w+\.)+)(\w+)")
_FORMATTERS: Final = (
    ("check", "--quiet", "--fix", "--select", "I,F401,F541"),
    ("format",),
)


def source() -> str:
    """Return the module's text, formatted.

    Raises:
        CalledProcessError: the formatter does not understand it.
    """
    kinds = {kind for one in operations() for shown in _annotations(one) for kind in _named(shown)}
    others = sorted((kind.__module__, kind.__name__) for kind in kinds if not _is_model(kind))
    imports = "".join(f"from {module} import {name}\n" for module, name in others)
    text = _HEAD + imports + _CLASS + "".join(map(_method, operations()))
    for command in _FORMATTERS:
        formatter = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(FILE), "-"]
        text = subprocess.run(  # noqa: S603 - the project's own formatter
            formatter, input=text, capture_output=True, text=True, check=True
        ).stdout
    return text


# --- one method


def _method(operation: Operation) -> str:
    head = ", ".join(["self", *_parameters(operation)])
    arguments = [f'"{operation.method}"', f'f"{operation.path}"', _shown(operation.answer)]
    built = []
    for name, kind in _given(operation):
        value = operation.whole if _is_whole(operation, name) else name
        arguments.append(f"{name}={value}")
        if value == name:
            fields = ", ".join(f"{field}={field}" for field in kind.model_fields)
            built.append(f"{name} = {_shown(kind)}({fields})")
    call = f"await self._call({', '.join(arguments)})"
    if operation.returns:
        call = f"({call}).{operation.returns}"
    last = call if operation.answer is None else f"return {call}"
    lines = [f'"""{_docstring(operation)}"""', *built, last]
    body = "".join(f"        {line}\n" for line in lines)
    return f"\n    async def {operation.name}({head}) -> {_shown(_returned(operation))}:\n{body}"


def _docstring(operation: Operation) -> str:
    text = inspect.getdoc(operation.run) or ""
    return text.replace("\n", "\n        ") + ("\n        " if "\n" in text else "")


def _parameters(operation: Operation) -> list[str]:
    first = [f"{one}: {_shown(operation.takes.get(one, str))}" for one in operation.in_path]
    later, star = [], ["*"]
    for name, kind in _given(operation):
        if _is_whole(operation, name):
            default = " | None = None" if name == QUERY else ""
            first.append(f"{operation.whole}: {_shown(kind)}{default}")
            continue
        for field, info in kind.model_fields.items():
            if field == operation.star:
                star = [f"*{field}: str"]
            elif _is_positional(operation, field, info):
                first.append(_parameter(field, info))
            else:
                later.append(_parameter(field, info))
    return [*first, *(star if later or star != ["*"] else []), *later]


def _is_positional(operation: Operation, field: str, info: FieldInfo) -> bool:
    # A yes or no says nothing by its position.
    return field in operation.positional or (info.is_required() and info.annotation is not bool)


def _parameter(field: str, info: FieldInfo) -> str:
    shown = f"{field}: {_shown(info.annotation)}"
    if info.is_required():
        return shown
    return f"{shown} = {info.get_default(call_default_factory=True)!r}"


# --- what an operation takes and returns


def _given(operation: Operation) -> Iterator[tuple[str, type[BaseModel]]]:
    for name in (BODY, QUERY):
        if name in operation.takes:
            yield name, operation.takes[name]


def _is_whole(operation: Operation, name: str) -> bool:
    """Whether one argument of the method is all of the body, or of the query without a body."""
    return bool(operation.whole) and (name == BODY or BODY not in operation.takes)


def _returned(operation: Operation) -> Any:
    if operation.answer is None or not operation.returns:
        return operation.answer
    return operation.answer.model_fields[operation.returns].annotation


def _annotations(operation: Operation) -> Iterator[Any]:
    yield operation.answer
    yield _returned(operation)
    for name, kind in _given(operation):
        yield kind
        if not _is_whole(operation, name):
            yield from (info.annotation for info in kind.model_fields.values())


# --- types as text


def _named(annotation: Any) -> Iterator[type]:
    """Yield the classes that an annotation names and that must be imported."""
    arguments = typing.get_args(annotation)
    for argument in arguments:
        yield from _named(argument)
    if not arguments and isinstance(annotation, type) and annotation.__module__ != "builtins":
        yield annotation


def _is_model(kind: type) -> bool:
    return kind.__module__ == models.__name__


def _shown(annotation: Any) -> str:
    if isinstance(annotation, type) and not typing.get_args(annotation):
        text = f"{annotation.__module__}.{annotation.__qualname__}"
    else:
        text = repr(annotation)
    prefix = f"{models.__name__}."
    return _NAME.sub(lambda found: f"{'models.' * (found[1] == prefix)}{found[2]}", text)


if __name__ == "__main__":
    FILE.write_text(source())
