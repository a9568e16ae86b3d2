"""The library's events that tell of something that has arrived: a module for each.

An event more is a module here and its line in `ARRIVING`: it is then subscribed to, spooled, and
told as its module says.
"""

from collections.abc import Mapping
from typing import Final

from gateway_worker.whatsapp.host.arriving import message, receipt, swallowed, undecryptable
from gateway_worker.whatsapp.host.arriving.event import ArrivingEvent

__all__ = ["ARRIVING", "MESSAGE", "RECEIPT", "SUBSCRIBED", "SWALLOWED", "UNDECRYPTABLE"]

MESSAGE: Final = message.EVENT.code
RECEIPT: Final = receipt.EVENT.code
UNDECRYPTABLE: Final = undecryptable.EVENT.code
SWALLOWED: Final = swallowed.EVENT.code

_EVENTS: Final = (message.EVENT, receipt.EVENT, undecryptable.EVENT, swallowed.EVENT)

ARRIVING: Final[Mapping[int, ArrivingEvent]] = {event.code: event for event in _EVENTS}
"""By the code that they are spooled under."""

SUBSCRIBED: Final = tuple(event.code for event in _EVENTS if event.is_subscribed)
"""The codes of those that the library is asked for."""
