"""What is logged under a name that is always left out would be logged for nothing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import gateway_worker
from gateway_worker.log.redaction import PERSONAL_FIELDS

_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}


def logged() -> Iterator[tuple[str, str]]:
    """Yield where something is logged, and under which name."""
    root = Path(gateway_worker.__file__).parent
    for path in root.rglob("*.py"):
        if "log." not in (source := path.read_text()):
            continue
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=method)) if (
                    method in _METHODS
                ):
                    for keyword in node.keywords:
                        if keyword.arg is not None:
                            yield f"{path.relative_to(root)}:{node.lineno}", keyword.arg


def test_no_name_is_one_that_is_left_out() -> None:
    """The contract marks `code` as personal, for a code to scan is: an error's is `error_code`."""
    found = list(logged())
    assert len(found) > 100
    assert [(place, name) for place, name in found if name in PERSONAL_FIELDS] == []
