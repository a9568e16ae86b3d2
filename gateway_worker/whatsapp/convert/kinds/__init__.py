"""What a message can carry: a module per kind, with both ways between contract and library.

A kind more is a module here and its line in `KINDS`.
"""

from collections.abc import Mapping
from typing import Final

from gateway_worker.whatsapp.convert.kinds import contact, location, text
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Convert, Converted, Kind

__all__ = ["COMPOSED", "CONVERTED", "KINDS", "Composing", "Converted", "Kind"]

KINDS: Final[tuple[Kind, ...]] = (text.KIND, location.KIND, contact.KIND)

COMPOSED: Final[Mapping[str, Kind]] = {kind.name: kind for kind in KINDS}
"""By the contract's name."""

CONVERTED: Final[Mapping[str, Convert]] = {
    field: convert for kind in KINDS for field, convert in kind.fields.items()
}
"""How the library's field of each kind is told, by its name in `Message`."""
