"""Turns pydantic's fault locations into JSON Pointers that a backend can follow.

A location names the chosen member of a tagged union, which is no field of the document, and the
keys of open mappings, which are the sender's own words. Pointers leave the first out and stop
before the second, so that an error never repeats what was sent.
"""

from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


class Place(NamedTuple):
    """Where in a document a fault is.

    Attributes:
        path: The way there.
        field: The last field on it; None if there is none.
        rest: What is left of the location: the key in an open mapping, for example.
    """

    path: tuple[int | str, ...]
    field: FieldInfo | None
    rest: tuple[int | str, ...]


def pointer(location: tuple[int | str, ...], root: Any) -> str:
    """Return the JSON Pointer (RFC 6901) of a fault.

    Args:
        location: The `loc` of one of pydantic's errors.
        root: The type that was validated against.
    """
    return "".join(f"/{part}" for part in place_of(location, root).path)


def place_of(location: tuple[int | str, ...], root: Any) -> Place:
    """Return the place of a fault, as far as it can be followed; see `pointer`."""
    node, path, field = root, list[int | str](), None
    for number, part in enumerate(location):
        node = _plain(node)
        if _is_union(node):
            node = _member(node, part)
            continue
        if isinstance(node, type) and issubclass(node, BaseModel) and part in node.model_fields:
            field = node.model_fields[str(part)]
            node = field.annotation
        elif get_origin(node) is tuple and isinstance(part, int):
            node = get_args(node)[0]
        else:
            return Place(tuple(path), field, location[number:])
        path.append(part)
    return Place(tuple(path), field, ())


def _is_union(node: Any) -> bool:
    return get_origin(node) in (Union, UnionType)


def _plain(node: Any) -> Any:
    while True:
        if get_origin(node) is Annotated:
            node = get_args(node)[0]
            continue
        if _is_union(node):
            members = [member for member in get_args(node) if member is not type(None)]
            if len(members) == 1:
                node = members[0]
                continue
        return node


def _member(union: Any, tag: int | str) -> Any:
    for member in get_args(union):
        for field in getattr(member, "model_fields", {}).values():
            if get_origin(field.annotation) is Literal and get_args(field.annotation) == (tag,):
                return member
    return None
