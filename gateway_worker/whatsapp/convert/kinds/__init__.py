"""What a message can carry: a module per kind, with both ways between contract and library.

A kind more is a module here with a `KIND`, and its models in the contract; a test holds that both
sides know the same kinds.
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import Final

from gateway_worker.whatsapp.convert.kinds.kind import Composing, Convert, Converted, Kind

__all__ = ["COMPOSED", "CONVERTED", "EVENTS", "KINDS", "Composing", "Converted", "Kind"]

_SHARED: Final = "kind"
"""The module that is no kind."""


def _kinds() -> tuple[Kind, ...]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(import_module(f"{__name__}.{name}").KIND for name in names if name != _SHARED)


KINDS: Final = _kinds()

COMPOSED: Final[Mapping[str, Kind]] = {kind.name: kind for kind in KINDS}
"""By the contract's name."""

CONVERTED: Final[Mapping[str, Convert]] = {
    field: convert for kind in KINDS for field, convert in kind.fields.items()
}
"""How the library's field of each kind is told, by its name in `Message`."""

EVENTS: Final[Mapping[str, str]] = {
    kind.name: kind.event for kind in KINDS if kind.event is not None
}
"""What kinds arrive as that are no message, by the contract's name."""
