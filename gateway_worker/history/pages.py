"""Pages that stay below a size: what a broker and its consumers take in one piece."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from pydantic import BaseModel

Entry = TypeVar("Entry", bound=BaseModel)

PAGE_BYTES: Final = 96 * 1024
"""A page ends before the entry with which it would be larger, unless that is its first."""


def fitting(entries: Iterable[Entry]) -> Sequence[Entry]:
    """Return as many of the first entries as a page takes, one at least if there is one."""
    taken: list[Entry] = []
    size = 0
    for entry in entries:
        size += len(entry.__pydantic_serializer__.to_json(entry, exclude_none=True))
        if taken and size > PAGE_BYTES:
            break
        taken.append(entry)
    return taken
