"""People who come and go, and what they do in chats: worth telling for a moment only."""

from typing import Final

from neonize.proto.Neonize_pb2 import ChatPresence, Presence

from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert import presence
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.host.arriving.event import ArrivingEvent, as_nothing

VOLATILE_SECONDS: Final = 10.0
"""What somebody did longer ago says nothing of what they do now."""


def _changed(record: Record, people: People) -> tuple[Arrival | None, ...]:
    return (presence.changed(Presence.FromString(record.payload), people=people),)


def _typing(record: Record, people: People) -> tuple[Arrival | None, ...]:
    return (presence.typing(ChatPresence.FromString(record.payload), people=people),)


def _wants_typing(settings: HostSettings) -> bool:
    """Not by default: anybody's phone may show a way of typing that the library does not know."""
    return settings.typing


EVENTS: Final = (
    ArrivingEvent(
        code=19,
        tell=_typing,
        salvage=as_nothing,
        volatile_seconds=VOLATILE_SECONDS,
        is_wanted=_wants_typing,
    ),
    ArrivingEvent(code=20, tell=_changed, salvage=as_nothing, volatile_seconds=VOLATILE_SECONDS),
)
