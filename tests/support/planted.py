"""What a test plants where it is private, to look for it where nobody but a backend may read it."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from gateway_contracts import SessionPairCode, SessionQr
from gateway_worker.devkit.received import ReceivedEvent
from gateway_worker.sandbox.phones.phone import Phone

_WORD: Final = "Zxplanted"
"""Nobody says it by itself, and it looks like nothing that is recognised by its form."""
_SHORTEST_SECRET: Final = 8
_RUNS: Final = (re.compile(r"\d{7,}"), re.compile(r"[A-Za-z0-9+/=]{24,}|[A-Z0-9]{4}-[A-Z0-9]{4}"))
"""What numbers, and codes and the keys in them, look like."""
_WORDS: Final = re.compile(r"\w{3,}")
_SHORTEST_TEXT: Final = 12
"""Shorter ones may be words that a log has anyway."""
_WRITTEN: Final = frozenset(
    {
        *("about", "caption", "chat_name", "description", "display_name", "file_name", "footer"),
        *("headline", "push_name", "question", "text", "title", "url", "vcard", "verified_name"),
    }
)
"""Fields of events with what people write, and with URLs that whoever has them can open."""


class Planted:
    """Texts, numbers and secrets, each by what it is."""

    def __init__(self) -> None:
        self._patterns: dict[str, re.Pattern[str]] = {}

    def word(self, what: str) -> str:
        """Return a text to plant; `what` are letters, since it becomes a part of it."""
        text = f"{_WORD}{what}"
        self._patterns[what] = re.compile(f"{text}(?![A-Za-z])")
        return text

    def secret(self, what: str, value: str) -> None:
        """Look for a value that was made elsewhere."""
        if len(value) < _SHORTEST_SECRET:
            raise ValueError(f"{what} is so short that it may stand anywhere")
        self._patterns[what] = re.compile(re.escape(value))

    def key(self, what: str, value: bytes) -> None:
        """Look for bytes as they are mostly written."""
        self.secret(f"{what} in base64", base64.b64encode(value).decode().rstrip("="))
        self.secret(f"{what} in hexadecimal", value.hex())

    def number(self, what: str, digits: str) -> None:
        """Look for a number, which is no part of a longer one."""
        self._patterns[what] = re.compile(rf"(?<!\d){re.escape(digits)}(?!\d)")

    def person(self, what: str, phone: Phone) -> None:
        """Look for both of an account's ids."""
        self.number(f"number of {what}", phone.number)
        self.number(f"LID of {what}", phone.jid.user)

    def qr(self, code: str) -> None:
        """Look for a QR code, and for each of the keys in it."""
        self.secret("QR", code)
        for place, part in enumerate(code.split(",")):
            if len(part) >= _SHORTEST_SECRET:
                self.secret(f"QR, part {place}", part)

    def found_in(self, text: str) -> set[str]:
        """Return what of all that stands in a text."""
        return {what for what, pattern in self._patterns.items() if pattern.search(text)}


def ids_of(phones: Iterable[Phone]) -> set[str]:
    """Return the numbers and the LIDs of accounts."""
    return {one for phone in phones for one in (phone.number, phone.jid.user)}


def private_in(log: str, ids: set[str], events: Iterable[ReceivedEvent]) -> set[str]:
    """Return what a log has of accounts' ids, of codes that linked them and of what people wrote.

    It is quick for a long log and many events.

    Args:
        log: In lines of JSON.
        ids: Numbers and LIDs.
        events: Whose codes and texts are.
    """
    codes, texts = set[str](), set[str]()
    for arrived in events:
        if isinstance(arrived.event, SessionQr):
            codes.update(arrived.event.data.code.split(","))
        elif isinstance(arrived.event, SessionPairCode):
            codes.add(arrived.event.data.code)
        else:
            texts.update(_texts_in(json.loads(arrived.body).get("data")))
    runs = {run for form in _RUNS for run in form.findall(log)}
    words = set(_WORDS.findall(log))
    written = (json.dumps(text, ensure_ascii=False)[1:-1] for text in texts)
    likely = (text for text in written if words.issuperset(_WORDS.findall(text)))
    return (runs & (ids | codes)) | {text for text in likely if text in log}


def _texts_in(value: Any) -> Iterator[str]:
    """Yield what people wrote, and URLs, of whatever an event says."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name in _WRITTEN and isinstance(item, str) and len(item) >= _SHORTEST_TEXT:
                yield item
            else:
                yield from _texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts_in(item)
