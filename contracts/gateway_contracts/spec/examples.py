"""The golden payloads in `gateway_contracts/examples/`, for documents and for a backend's tests."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from gateway_contracts.spec.catalog import MESSAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One payload.

    Attributes:
        type: The message's type.
        variant: Which of the type's examples; empty for the plain one.
        payload: The message as decoded JSON.
    """

    type: str
    variant: str
    payload: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of its file without `.json`."""
        return f"{self.type}.{self.variant}" if self.variant else self.type


def load_examples(message_type: str | None = None) -> tuple[Example, ...]:
    """Return the examples of one type, or of all in the order of the catalogue; plain ones first.

    Raises:
        LookupError: A file's name begins with no known type.
    """
    return tuple(
        Example(type=name, variant=variant, payload=json.loads(text))
        for name, variant, text in _all()
        if message_type in (None, name)
    )


def example_files() -> dict[str, str]:
    """Return the text of each example by its file's name."""
    return {
        file.name: file.read_text("utf-8")
        for file in resources.files("gateway_contracts").joinpath("examples").iterdir()
        if file.name.endswith(".json")
    }


@cache  # they are asked for type by type, and belong to the package
def _all() -> tuple[tuple[str, str, str], ...]:
    """Return type, variant and text of each example in their order."""
    order = list(MESSAGES)
    found = [(*_named(file.removesuffix(".json")), text) for file, text in example_files().items()]
    return tuple(sorted(found, key=lambda one: (order.index(one[0]), one[1])))


def _named(name: str) -> tuple[str, str]:
    for message_type in MESSAGES:
        if name == message_type or name.startswith(f"{message_type}."):
            return message_type, name[len(message_type) + 1 :]
    raise LookupError(f"examples/{name}.json is named after no message type")
