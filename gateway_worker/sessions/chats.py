"""The ids of chats and people, as far as they can be told from their text."""

from typing import Final

_PHONE_SERVER: Final = "s.whatsapp.net"
_PEOPLE: Final = frozenset({"", _PHONE_SERVER, "lid", "c.us"})
"""The servers of people; a number has none."""
STATUS_CHAT: Final = "status@broadcast"
"""Where status posts come from and go to."""


def without_device(jid: str) -> str:
    """Return a JID without its device: `user@server` of `user:device@server`."""
    user, at, server = jid.partition("@")
    return f"{user.partition(':')[0]}{at}{server}"


def chat_of(recipient: str) -> str:
    """Return the chat of a recipient, which is a phone number or a JID."""
    text = without_device(recipient.removeprefix("+"))
    return text if "@" in text else f"{text}@{_PHONE_SERVER}"


def is_person(recipient: str) -> bool:
    """Whether a recipient is a person, who may be known by another id too."""
    return recipient.partition("@")[2] in _PEOPLE


def is_group(recipient: str) -> bool:
    """Whether a recipient is a group."""
    return recipient.endswith("@g.us")


def is_channel(recipient: str) -> bool:
    """Whether a recipient is a channel."""
    return recipient.endswith("@newsletter")
