"""Entries of the library's log, as it hands them over.

What others have chosen stands within their texts, such as the ids of messages, of any length and
with anything in them. Whoever reads a text has to begin at its start, or at its end, or takes their
word for the library's.
"""

import re
from dataclasses import dataclass
from typing import Final

_TEXT: Final = b"\x0a"
"""The key of an entry's first field, which is its text."""
_MOST_LENGTH_BYTES: Final = 5
_MORE: Final = 0x80
_FROM: Final = b" from "
_WRITER: Final = re.compile(rb" from ([\w.:@-]{1,200})(?: in ([\w.:@-]{1,200}))?: ")
_END_BYTES: Final = 2_048
"""The end of a text, which names the writer and says what is the matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutMessage:
    """What an entry says of a message that has come.

    Attributes:
        message_id: Its id, as its sender calls it.
        writer: Its sender's JID.
        conversation: Where it was written; empty if that is the sender's own chat.
        matter: What is the matter with it.
    """

    message_id: bytes
    writer: bytes
    conversation: bytes
    matter: bytes


def text_of(entry: bytes) -> bytes:
    """Return the text of an entry; empty if it has none."""
    if entry[:1] != _TEXT:
        return b""
    length = 0
    for place, byte in enumerate(entry[1 : 1 + _MOST_LENGTH_BYTES]):
        length |= (byte & ~_MORE) << (7 * place)
        if byte < _MORE:
            return entry[2 + place : 2 + place + length]
    return b""


def about_message(text: bytes, beginning: bytes) -> AboutMessage | None:
    """Return what a text says of a message if it begins so and has an id, a writer and a matter.

    Args:
        text: Of an entry.
        beginning: What stands before the id.
    """
    if not text.startswith(beginning):
        return None
    first = max(len(beginning), len(text) - _END_BYTES)
    place = len(text)
    while (place := text.rfind(_FROM, first, place)) >= 0:  # an id may hold the same
        if (found := _WRITER.match(text, place)) is not None:
            return AboutMessage(
                message_id=text[len(beginning) : place],
                writer=found[1],
                conversation=found[2] or b"",
                matter=text[found.end() :],
            )
    return None
