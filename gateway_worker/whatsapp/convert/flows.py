"""Interactive messages: a text with buttons of which each has its parameters as JSON."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway_worker.whatsapp.convert.texts import clean, short

TEXT_CHARACTERS: Final = 4_096
MOST_CHOICES: Final = 100
_VERSION: Final = 1

Flow = tuple[str, Mapping[str, Any]]
"""A button's name, which says what it does, and its parameters."""


def flow_message(library: Any, content: Mapping[str, Any], flows: list[Flow], context: Any) -> Any:
    """Return the library's `Message` of a text with buttons."""
    kinds = library.InteractiveMessage
    buttons = [
        kinds.NativeFlowMessage.NativeFlowButton(
            name=name, buttonParamsJSON=json.dumps(parameters, ensure_ascii=False)
        )
        for name, parameters in flows
    ]
    message = kinds(
        body=kinds.Body(text=content["text"]),
        nativeFlowMessage=kinds.NativeFlowMessage(buttons=buttons, messageVersion=_VERSION),
        contextInfo=context,
    )
    if footer := content.get("footer"):
        message.footer.text = footer
    return library.Message(interactiveMessage=message)


def flows_in(value: Any) -> Iterator[Flow]:
    """Yield the buttons of an interactive message; parameters that are no JSON object are empty."""
    for button in value.nativeFlowMessage.buttons[:MOST_CHOICES]:
        try:
            parameters = json.loads(clean(button.buttonParamsJSON))
        except (ValueError, RecursionError):
            parameters = {}
        yield str(clean(button.name)), parameters if isinstance(parameters, dict) else {}


def text_in(parameters: Any, name: str) -> str:
    """Return a text of a button's parameters; empty if it is none."""
    found = parameters.get(name) if isinstance(parameters, dict) else None
    return short(found, TEXT_CHARACTERS) if isinstance(found, str) else ""
