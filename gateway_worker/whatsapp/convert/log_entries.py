"""Entries of the library's log, as it hands them over."""

from typing import Final

_TEXT: Final = b"\x0a"
"""The key of an entry's first field, which is its text."""
_MOST_LENGTH_BYTES: Final = 5
_MORE: Final = 0x80


def text_of(entry: bytes) -> bytes:
    """Return the text of an entry; empty if it has none.

    What others have chosen stands within it, such as the ids of messages: whoever reads it has to
    begin at its start, or takes their word for the library's.
    """
    if entry[:1] != _TEXT:
        return b""
    length = 0
    for place, byte in enumerate(entry[1 : 1 + _MOST_LENGTH_BYTES]):
        length |= (byte & ~_MORE) << (7 * place)
        if byte < _MORE:
            return entry[2 + place : 2 + place + length]
    return b""
