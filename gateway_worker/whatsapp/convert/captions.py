"""What somebody wrote: a text, or the caption of a file, with the people whom it names."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short

MAX_TEXT_CHARACTERS: Final = 262_144
"""More than any client sends; what is longer is cut, so that it fits a frame."""
MAX_MENTIONS: Final = 1_024


def written(text: str | bytes) -> tuple[str, bool]:
    """Return a text as it is told, and whether that is all of it."""
    return short(text, MAX_TEXT_CHARACTERS), len(text) <= MAX_TEXT_CHARACTERS


def mentioned(value: Any, people: People) -> tuple[list[str], bool]:
    """Return whom a field of the library's `Message` names, and whether these are all of them."""
    context = getattr(value, "contextInfo", None)
    named = () if context is None else context.mentionedJID
    found = [people.named(jid) for jid in named[:MAX_MENTIONS]]
    return found, len(named) <= MAX_MENTIONS


def caption_of(value: Any, people: People) -> tuple[dict[str, Any], bool]:
    """Return a file's caption and mentions, as contents tell them, and whether that is all."""
    caption, is_whole = written(value.caption)
    mentions, are_all = mentioned(value, people)
    told: dict[str, Any] = {"caption": caption} if caption else {}
    return {**told, "mentions": mentions}, is_whole and are_all
