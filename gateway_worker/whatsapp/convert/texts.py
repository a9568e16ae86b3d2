"""Text from strangers, made fit for what comes after: no NUL, and short where it must be."""

from typing import Final

ID_CHARACTERS: Final = 128
"""The longest JID, message id or name that the contract takes."""
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def clean(text: str) -> str:
    """Return the text without NUL, which PostgreSQL cannot hold."""
    return text.replace("\x00", _REPLACEMENT) if "\x00" in text else text


def short(text: str) -> str:
    """Return the text without NUL and cut to `ID_CHARACTERS`."""
    return clean(text[:ID_CHARACTERS])


def message_id(text: str) -> str | None:
    """Return a message's id, or None if it is none that the contract takes."""
    fits = 0 < len(text) <= ID_CHARACTERS and text.isascii() and text.isprintable()
    return text if fits and " " not in text else None
