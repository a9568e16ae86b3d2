"""Text from strangers, made fit for what comes after: no NUL, and short where it must be.

A text that is no valid UTF-8 comes from the library's messages as bytes.
"""

from typing import Final

ID_CHARACTERS: Final = 128
"""The longest JID, message id or name that the contract takes."""
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def clean(text: str | bytes) -> str:
    """Return the text without NUL, which PostgreSQL cannot hold."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return text.replace("\x00", _REPLACEMENT) if "\x00" in text else text


def short(text: str | bytes) -> str:
    """Return the text without NUL and cut to `ID_CHARACTERS`."""
    return clean(text[:ID_CHARACTERS])


def message_id(text: str | bytes) -> str | None:
    """Return a message's id, or None if it is none that the contract takes."""
    if isinstance(text, bytes):
        return None
    fits = 0 < len(text) <= ID_CHARACTERS and text.isascii() and text.isprintable()
    return text if fits and " " not in text else None
