"""The ids of chats and people, as far as they can be told from their text."""

from typing import Final

_PHONE_SERVER: Final = "s.whatsapp.net"
_GROUP_SERVER: Final = "g.us"


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
    return not recipient.endswith(f"@{_GROUP_SERVER}")


def is_group(recipient: str) -> bool:
    """Whether a recipient is a group."""
    return recipient.endswith(f"@{_GROUP_SERVER}")
