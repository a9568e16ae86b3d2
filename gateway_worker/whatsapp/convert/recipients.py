"""Whom a message goes to, from what the worker wrote."""

from typing import Final

from gateway_worker.whatsapp.convert.chats import CHANNEL_SERVER, STATUS_CHAT
from gateway_worker.whatsapp.convert.people import PHONE_SERVER, without_device

GROUP_SERVER: Final = "g.us"
_SERVERS: Final = frozenset({PHONE_SERVER, "lid", GROUP_SERVER})
_PEOPLE: Final = frozenset({PHONE_SERVER, "lid"})
_OLD_SERVERS: Final = {"c.us": PHONE_SERVER}
"""How servers are called in what older clients have stored."""


class RecipientError(ValueError):
    """A JID or number that nothing can be sent to."""


def destination(text: str) -> str:
    """Return where to send to: a recipient, a channel, or those who see the status posts.

    Raises:
        RecipientError: It is none of these.
    """
    user, _, server = text.partition("@")
    is_channel = server == CHANNEL_SERVER and user.isascii() and user.isdigit()
    return text if is_channel or text == STATUS_CHAT else recipient(text)


def is_person(jid: str) -> bool:
    """Whether what `destination` has returned is a person, who has devices of their own."""
    return jid.rpartition("@")[2] in _PEOPLE


def recipient(text: str) -> str:
    """Return whom to send to as a JID without a device, from a JID or a phone number.

    Raises:
        RecipientError: It is neither.
    """
    user, at, server = without_device(text.removeprefix("+")).partition("@")
    server = _OLD_SERVERS.get(server, server)
    digits = user.replace("-", "", 1) if server == GROUP_SERVER else user
    if not (digits.isascii() and digits.isdigit()):
        raise RecipientError("neither a JID nor a phone number")
    if at and server not in _SERVERS:
        raise RecipientError("the JID's server is unknown")
    return f"{user}@{server or PHONE_SERVER}"
