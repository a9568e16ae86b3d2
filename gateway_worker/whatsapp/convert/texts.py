"""Text from strangers, made fit for what comes after: no NUL, and short where it must be.

A text that is no valid UTF-8 comes from the library's messages as bytes.
"""

import hashlib
from typing import Final

from gateway_worker.host_protocol.ids import DIGEST_DIGITS, ID_CHARACTERS

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def clean(text: str | bytes) -> str:
    """Return the text without NUL, which PostgreSQL cannot hold."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return text.replace("\x00", _REPLACEMENT) if "\x00" in text else text


def short(text: str | bytes, characters: int = ID_CHARACTERS) -> str:
    """Return the text without NUL and cut to so many characters."""
    return clean(text[:characters])


def is_message_id(text: str | bytes) -> bool:
    """Whether a text is a message's id that the contract takes."""
    if isinstance(text, bytes) or not 0 < len(text) <= ID_CHARACTERS:
        return False
    return text.isascii() and text.isprintable() and " " not in text


def message_id(text: str | bytes) -> str | None:
    """Return a message's id, or None if it is none that the contract takes."""
    return str(text) if is_message_id(text) else None


def short_id(text: str | bytes) -> str:
    """Return a JID without NUL; one that is too long is cut so that it stays apart from others."""
    whole = clean(text)
    if len(whole) <= ID_CHARACTERS:
        return whole
    end = f"~{hashlib.sha256(whole.encode(errors='surrogatepass')).hexdigest()[:DIGEST_DIGITS]}"
    return f"{whole[: ID_CHARACTERS - len(end)]}{end}"
