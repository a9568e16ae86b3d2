"""Turns pydantic's fault locations into JSON Pointers that a backend can follow.

A location names the chosen member of a tagged union, which is no field of the document, and the
keys of open mappings, which are the sender's own words. Pointers leave the first out and stop
before the second, so that an error never repeats what was sent.
"""

from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel


def pointer(location: tuple[int | str, ...], root: Any) -> str:
    """Return the JSON Pointer (RFC 6901) of a fault.

    Args:
        location: The `loc` of one of pydantic's errors.
        root: The type that was validated against.
    """
    node, path = root, ""
    for part in location:
        node = _plain(node)
        if _is_union(node):
            node = _member(node, part)
            continue
        if isinstance(node, type) and issubclass(node, BaseModel) and part in node.model_fields:
            node = node.model_fields[str(part)].annotation
        elif get_origin(node) is tuple and isinstance(part, int):
            node = get_args(node)[0]
        else:
            break
        path += f"/{part}"
    return path


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
