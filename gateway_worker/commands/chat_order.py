"""What the order of messages holds among: those that may go to one chat, however it is written."""

from typing import Final

from gateway_worker.commands.lanes import Order
from gateway_worker.sessions.chats import without_device

_NUMBERS: Final = frozenset({"", "s.whatsapp.net", "c.us"})
"""The servers of people who are named by their number."""
_LIDS: Final = "lid"
_TELLING_DIGITS: Final = 8
"""So many last digits all ways to write a number have in common: in some countries there are digits
in front that may be left out."""


def order_of(recipient: str) -> Order:
    """Return what the order of a message to somebody holds among.

    Whether a number and a LID are the same person is not known here: a message to one of them waits
    for earlier ones to any of the other kind. Groups are never people.

    Args:
        recipient: A phone number, or a JID.
    """
    user, _, server = without_device(recipient.removeprefix("+")).partition("@")
    if server in _NUMBERS:
        return _of_person(f"number {user[-_TELLING_DIGITS:]}", kind="numbers", other="lids")
    if server == _LIDS:
        return _of_person(f"lid {user}", kind="lids", other="numbers")
    chat = frozenset({f"{user}@{server}"})
    return Order(marks=chat, waits_for=chat)


def _of_person(name: str, *, kind: str, other: str) -> Order:
    return Order(marks=frozenset({name, kind}), waits_for=frozenset({name, other}))
