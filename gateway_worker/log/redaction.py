"""The last line of defence: takes personal data and secrets out of whatever is about to be written.

It works on the shape of values, not on good intentions: phone numbers, WhatsApp ids, QR and pairing
codes, keys, passwords in URLs. A number or an id becomes a short token that is the same for the
same person throughout the life of the process, so that lines can still be matched; the key of the
tokens exists in memory only. Values of unknown types are never rendered, because their `repr` may
hold a message's text.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from itertools import pairwise
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from gateway_contracts.personal import personal_fields

_TOKEN_KEY: Final = secrets.token_bytes(16)

MAX_CHARACTERS: Final = 16_384
"""Longer texts are cut: scanning and writing them would hold up the worker."""

_NONE: Final[Mapping[str, str]] = {}
_CUT_TAIL: Final = 512
_CACHEABLE: Final = 200
_MAX_DEPTH: Final = 6

SECRET_FIELDS: Final = frozenset(
    {
        "access_key",
        "api_key",
        "authorization",
        "cookie",
        "credentials",
        "key_material",
        "passwd",
        "password",
        "pair_code",
        "pairing_code",
        "private_key",
        "qr",
        "qr_code",
        "secret",
        "secret_access_key",
        "secret_key",
        "token",
    }
)
PERSONAL_FIELDS: Final = personal_fields() | {
    "body",
    "caption",
    "content",
    "msisdn",
    "phone",
    "recipient",
    "sender",
}
"""Names of fields whose values are never written, whatever they look like.

All that the contract marks as personal, and more words for the same."""

_HIDDEN: Final = {
    **dict.fromkeys(PERSONAL_FIELDS, "[personal]"),
    **dict.fromkeys(SECRET_FIELDS, "[secret]"),
}

ID_FIELDS: Final = frozenset(
    {
        "command_id",
        "correlation_id",
        "event_id",
        "message_id",
        "session_id",
        "span_id",
        "tenant_id",
        "trace_id",
        "worker_id",
    }
)
"""Fields that exist to be searched for: a short run of digits there is an id, not a number."""

_PAIR_CODE: Final = r"(?<![\w-])[1-9A-HJ-NP-TV-Z]{4}-[1-9A-HJ-NP-TV-Z]{4}(?![\w-])"

# Anything that one of the patterns below could match has one of these.
_SUSPICIOUS: Final = re.compile(
    r"\d{7}|\+\d|@|://|[=:]|\(|#|[A-Za-z0-9+/_-]{40}|(?i:bearer|basic)\s"
    rf"|{_PAIR_CODE}"
)
_DIGITS: Final = re.compile(r"\D")

_UUID: Final = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_TRACE: Final = r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"

_QR: Final = re.compile(
    r"(?:https?://)?wa\.me/settings/linked_devices\S*|\b\d@[A-Za-z0-9+/=_-]{6,}(?:,[^\s,\"']+)*"
)
_PAIR_CODES: Final = re.compile(_PAIR_CODE)
_URL_PASSWORD: Final = re.compile(r"(://[^\s/@:\"']{0,256}):[^\s\"']{0,1024}@")
_NAMED_SECRET: Final = re.compile(
    r"((?i:password|passwd|pwd|secret|secret_access_key|secret_key|api[_-]?key|access_token|token"
    r"|x-amz-signature|x-amz-credential|x-amz-security-token|signature)[\"']?\s{0,3}[=:]\s{0,3})"
    r"(?!\[secret\])(\"[^\"\n]*\"?|'[^'\n]*'?|[^\s\"'&,;)}\]]+)"
)
_AUTHORIZATION: Final = re.compile(r"\b((?i:bearer|basic))\s+[A-Za-z0-9+/=._~-]{8,}")
_DATABASE_VALUES: Final = re.compile(
    r"\[parameters: .*|(?<=row contains )\(.*|input_value=.{0,200}(?=, input_type=)"
    r"|(?<=Key )\([^)\n]{0,200}\)=\(.{0,200}?\)(?= (?:already|is|conflicts))"
)
_JID: Final = re.compile(
    r"\+?([\w.:-]{1,80})@(?:s\.whatsapp\.net|[cg]\.us|(?:hosted\.)?lid|hosted|broadcast|newsletter"
    r"|msgr|bot|call)(?![\w-])"
)
_NUMBER: Final = re.compile(
    rf"{_UUID}|{_TRACE}"
    r"|\+\d[\d\s().-]{5,20}\d"
    r"|(?<![0-9A-Za-z])(?<!\d\.)\+?\d{7,17}(?![0-9A-Za-z])"
)
_NUMBER_IN_ID: Final = re.compile(
    rf"{_UUID}|{_TRACE}|(?<![0-9A-Za-z])\+?\d{{10,15}}(?![0-9A-Za-z])"
)
_LONG: Final = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}")
_UUID_ONLY: Final = re.compile(_UUID)
_NOT_KEYS: Final = re.compile(rf"{_TRACE}|{_UUID}")
_HEX_ONLY: Final = re.compile(r"[0-9a-fA-F]+")
_SEPARATORS: Final = re.compile(r"[+/_=-]")


def redact(fields: Mapping[str, Any], *, safe: Mapping[str, str] = _NONE) -> dict[str, Any]:
    """Return an event's fields in a form that is safe to write, as plain values only.

    Args:
        fields: What is to be written.
        safe: What is known to be safe and comes before that, such as the time of each line, which
            is like no other and costs more to look through than all the rest.
    """
    return {**safe, **{name: _field(name, value, 0) for name, value in fields.items()}}


def redact_text(text: str) -> str:
    """Return a text without personal data and secrets; the same text if there are none."""
    if len(text) <= _CACHEABLE:
        return _cached(text)
    if len(text) > MAX_CHARACTERS:  # the end may be half of something that is no longer recognised
        text = text[:MAX_CHARACTERS]
        return f"{_scan(text, _NUMBER)[:-_CUT_TAIL]}...[cut]"
    return _scan(text, _NUMBER)


def _field(name: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if name in _HIDDEN:
        return _HIDDEN[name]
    if name in ID_FIELDS and isinstance(value, str):
        return value if _UUID_ONLY.fullmatch(value) else _cached_id(value[:_CACHEABLE])
    return _value(value, depth)


def _value(value: Any, depth: int) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return redact_text(value if type(value) is str else str(value))
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth == _MAX_DEPTH:
        return "..."
    if isinstance(value, Mapping):
        named = ((str(name), item) for name, item in value.items())
        return {redact_text(name): _field(name, item, depth + 1) for name, item in named}
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(item, depth + 1) for item in value]
    return redact_text(_describe(value))


def _describe(value: Any) -> str:
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, date | timedelta | UUID | PurePath | Decimal):
        return str(value)
    return f"<{type(value).__name__}>"


def _scan(text: str, numbers: re.Pattern[str]) -> str:
    if not _SUSPICIOUS.search(text):
        return text
    text = _QR.sub("[qr]", text)
    text = _URL_PASSWORD.sub(r"\1:[secret]@", text)
    text = _NAMED_SECRET.sub(r"\1[secret]", text)
    text = _AUTHORIZATION.sub(r"\1 [secret]", text)
    text = _DATABASE_VALUES.sub("[values]", text)
    text = _JID.sub(_hide_jid, text)
    text = numbers.sub(_hide_number, text)
    text = _PAIR_CODES.sub("[pair code]", text)
    return _LONG.sub(_hide_key, text)


_cached: Final[Callable[[str], str]] = lru_cache(4096)(lambda text: _scan(text, _NUMBER))
_cached_id: Final[Callable[[str], str]] = lru_cache(4096)(lambda text: _scan(text, _NUMBER_IN_ID))


def _hide_jid(match: re.Match[str]) -> str:
    user = match[1].partition(":")[0].partition(".")[0]  # without the device
    return f"[jid#{_token(user)}]"


def _hide_number(match: re.Match[str]) -> str:
    found = match[0]
    digits = _DIGITS.sub("", found)
    if not 7 <= len(digits) <= 17 or (len(found) >= 36 and "-" in found):  # noqa: PLR2004
        return found
    return f"[phone#{_token(digits)}]"


def _hide_key(match: re.Match[str]) -> str:
    """Hide what looks random: names and paths keep to one kind of character for longer."""
    text = _SEPARATORS.sub("", _NOT_KEYS.sub("", match[0]))
    if len(text) < 36:  # noqa: PLR2004 - 40 characters of a key lose a few separators
        return match[0]
    if _HEX_ONLY.fullmatch(text):
        return "[key]"
    kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" for c in text]
    changes = sum(a != b for a, b in pairwise(kinds))
    return "[key]" if changes >= 0.3 * len(text) else match[0]


def _token(identity: str) -> str:
    return hashlib.blake2s(identity.encode(), key=_TOKEN_KEY, digest_size=3).hexdigest()
