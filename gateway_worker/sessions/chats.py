"""The ids of chats and people, as far as they can be told from their text."""

import re
from typing import Final

_PHONE_SERVER: Final = "s.whatsapp.net"
_PEOPLE: Final = frozenset({"", _PHONE_SERVER, "lid", "c.us"})
"""The servers of people; a number has none."""
_MOBILE_MARKS: Final = (
    ("55", 2, "9", 8, "6789"),
    ("52", 0, "1", 10, "123456789"),
    ("54", 0, "9", 10, "123456789"),
)
"""Country, digits of the area before the mark, the mark, digits after it, with what they begin.

Brazil: only numbers of mobiles from before there was a mark. What begins otherwise is somebody's
landline without it, and somebody else's mobile with it.
"""
STATUS_CHAT: Final = "status@broadcast"
"""Where status posts come from and go to."""

_ID: Final = re.compile(
    r"[0-9]{1,20}(-[0-9]{1,20})?(\.[0-9]{1,3})?(:[0-9]{1,5})?@[a-z.]{1,32}|\+?[0-9]{5,20}"
)


def can_be_id(text: str) -> bool:
    """Whether a text has the form of somebody's or some chat's id, or of a number."""
    return text == STATUS_CHAT or _ID.fullmatch(text) is not None


def without_device(jid: str) -> str:
    """Return a JID without its device: `user@server` of `user:device@server`."""
    user, at, server = jid.partition("@")
    return f"{user.partition(':')[0]}{at}{server}"


def chat_of(recipient: str) -> str:
    """Return the chat of a recipient, which is a phone number or a JID."""
    text = without_device(recipient.removeprefix("+"))
    return text if "@" in text else f"{text}@{_PHONE_SERVER}"


def spellings_of(chat: str) -> tuple[str, ...]:
    """Return the ids that a chat may have: WhatsApp writes some numbers otherwise than people do.

    With or without a digit that marks a mobile, in Brazil, Mexico and Argentina.
    """
    digits, _, server = chat.partition("@")
    if server != _PHONE_SERVER:
        return (chat,)
    for country, area_digits, mark, rest_digits, beginnings in _MOBILE_MARKS:
        head, rest = digits[:-rest_digits], digits[-rest_digits:]
        plain = len(country) + area_digits
        if not digits.startswith(country) or rest[0] not in beginnings:
            continue
        if len(head) == plain:
            return chat, f"{head}{mark}{rest}@{server}"
        if len(head) == plain + 1 and head.endswith(mark):
            return chat, f"{head[:-1]}{rest}@{server}"
    return (chat,)


def is_person(recipient: str) -> bool:
    """Whether a recipient is a person, who may be known by another id too."""
    return recipient.partition("@")[2] in _PEOPLE


def is_group(recipient: str) -> bool:
    """Whether a recipient is a group."""
    return recipient.endswith("@g.us")


def is_channel(recipient: str) -> bool:
    """Whether a recipient is a channel."""
    return recipient.endswith("@newsletter")
