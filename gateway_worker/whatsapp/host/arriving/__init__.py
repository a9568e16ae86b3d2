"""The library's events that tell of something that has arrived or happened: a module per family.

An event more is an `ArrivingEvent` in a module here, whose `EVENTS` are found by its place: it is
then subscribed to if the session is set to want it, spooled unless it is volatile, and told as its
module says. What is no message in a chat (a call, a change of a group, presence) is a notice: its
module gives it `as_nothing` as `salvage`, and its event stands in the contract's `Notice`. Nobody
else knows of it.
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import Final

from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.whatsapp.host.arriving import message, receipt, swallowed, undecryptable
from gateway_worker.whatsapp.host.arriving.event import ArrivingEvent

__all__ = ["ARRIVING", "MESSAGE", "RECEIPT", "SWALLOWED", "UNDECRYPTABLE", "subscribed"]

MESSAGE: Final = message.CODE
RECEIPT: Final = receipt.CODE
UNDECRYPTABLE: Final = undecryptable.CODE
SWALLOWED: Final = swallowed.CODE

_SHARED: Final = "event"
"""The module that is no family."""


def _arriving() -> Mapping[int, ArrivingEvent]:
    modules = (one.name for one in pkgutil.iter_modules(__path__) if one.name != _SHARED)
    found = (import_module(f"{__name__}.{name}").EVENTS for name in sorted(modules))
    return {event.code: event for events in found for event in events}


ARRIVING: Final = _arriving()
"""By the code that they are spooled under."""


def subscribed(settings: HostSettings) -> tuple[int, ...]:
    """Return the codes of those that the library is asked for.

    Only what is used: a value that the library does not know, in an event that it is asked for,
    ends its telling of events (facts of the library, observed; see `LibraryRun`).
    """
    return tuple(code for code, event in ARRIVING.items() if event.is_wanted(settings))
