"""The golden payloads in `gateway_contracts/examples/`, for documents and for a backend's tests."""

import json
from dataclasses import dataclass
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
    order = list(MESSAGES)
    found = [_read(name.removesuffix(".json"), text) for name, text in example_files().items()]
    found.sort(key=lambda example: (order.index(example.type), example.variant))
    return tuple(example for example in found if message_type in (None, example.type))


def example_files() -> dict[str, str]:
    """Return the text of each example by its file's name."""
    return {
        file.name: file.read_text("utf-8")
        for file in resources.files("gateway_contracts").joinpath("examples").iterdir()
        if file.name.endswith(".json")
    }


def _read(name: str, text: str) -> Example:
    for message_type in MESSAGES:
        if name == message_type or name.startswith(f"{message_type}."):
            variant = name[len(message_type) + 1 :]
            return Example(type=message_type, variant=variant, payload=json.loads(text))
    raise LookupError(f"examples/{name}.json is named after no message type")
