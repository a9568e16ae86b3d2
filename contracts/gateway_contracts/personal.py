"""Which fields of the contract tell of a person."""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel

from gateway_contracts.commands import Command
from gateway_contracts.events import Event
from gateway_contracts.marks import PERSONAL


def personal_fields() -> frozenset[str]:
    """Return the names of all fields, of whatever message, that are marked as personal."""
    return frozenset(
        name
        for model in _models((Command, Event), seen=set())
        for name, field in model.model_fields.items()
        if PERSONAL in field.metadata or _is_marked(field.annotation)
    )


def _models(annotations: Iterable[Any], *, seen: set[type]) -> Iterator[type[BaseModel]]:
    """Yield every model that is part of these types, each once."""
    for annotation in annotations:
        if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
            if annotation in seen:
                continue
            seen.add(annotation)
            yield annotation
            fields = annotation.model_fields.values()
            yield from _models((field.annotation for field in fields), seen=seen)
        yield from _models(get_args(annotation), seen=seen)


def _is_marked(annotation: Any) -> bool:
    """Whether a type is marked, or what it holds is."""
    metadata = getattr(annotation, "__metadata__", ())
    return PERSONAL in metadata or any(map(_is_marked, get_args(annotation)))
