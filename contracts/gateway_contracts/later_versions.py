"""Events of a gateway that is newer than this package, read as far as this version knows them.

Inside a major version changes only add. New fields are ignored by every model. A word in a known
field, or a kind of content, that was added since is read as the nearest thing that there is here.
"""

from collections.abc import Mapping
from typing import Any, Final, get_args

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, from_json

from gateway_contracts.commands.done import Done
from gateway_contracts.content.unsupported import UnsupportedContent
from gateway_contracts.errors import ErrorCategory, ErrorCode
from gateway_contracts.pointers import Place, place_of

_ADDITIONS: Final = frozenset({"enum", "union_tag_invalid"})
"""Faults that an addition explains: pydantic's names of them."""
_INTERNAL: Final[Mapping[Any, str]] = {
    ErrorCode: ErrorCode.INTERNAL,
    ErrorCategory: ErrorCategory.INTERNAL,
}
_GONE: Final = object()


def as_known(body: bytes, faults: list[ErrorDetails], root: Any) -> Any:
    """Return what an event says in the words of this version; None if that cannot be said.

    A kind of content becomes `unsupported`, a kind of result `done`, an error's code `internal`.
    Another word is left out where it may be missing.

    Args:
        body: The event, which is JSON.
        faults: All that pydantic says is wrong with it.
        root: The type that it was validated against.
    """
    if not all(fault["type"] in _ADDITIONS for fault in faults):
        return None
    event = from_json(body)
    for fault in reversed(faults):  # what is taken out of a list moves what is behind it
        place = place_of(fault["loc"], root)
        if place.field is None or not _replace(event, place, place.field, fault):
            return None
    return event


def _replace(event: Any, place: Place, field: FieldInfo, fault: ErrorDetails) -> bool:
    *parents, last = place.path
    holder = event
    for part in parents:
        holder = holder[part]
    if place.rest:  # in an open mapping, of which an entry may always be missing
        entries = holder[last]
        if not isinstance(entries, dict):
            return False
        entries.pop(place.rest[0], None)
        return True
    value = _stand_in(field, fault)
    if value is not _GONE:
        holder[last] = value
    elif isinstance(last, int) or not field.is_required():
        del holder[last]
    else:
        return False
    return True


def _stand_in(field: FieldInfo, fault: ErrorDetails) -> Any:
    """Return what stands for the unknown; `_GONE` if it can only be left out."""
    members = get_args(field.annotation)
    if UnsupportedContent in members:
        return {"kind": "unsupported", "message_type": fault["ctx"]["tag"]}
    if Done in members:
        return {"kind": "done"}
    return _INTERNAL.get(field.annotation, _GONE)
