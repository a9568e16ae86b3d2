"""What makes an event that tells of something that has arrived, or has happened."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert.arrival import Arrival, Tell, unreadable
from gateway_worker.whatsapp.convert.people import People

OFFLINE_FLAG: Final = 1
"""Flag of a record: the message had waited at WhatsApp."""


def as_nothing(_record: Record, _people: People) -> tuple[Arrival | None, ...]:
    """Return nothing: the record is kept aside, and there is no message that could be missed."""
    return ()


def as_unreadable(record: Record, _people: People) -> tuple[Arrival | None, ...]:
    """Return that there was something of which nothing can be read."""
    return (unreadable(record.payload),)


def is_offline(record: Record) -> bool:
    """Whether what a record holds had waited at WhatsApp."""
    return bool(record.flags & OFFLINE_FLAG)


def always(_settings: HostSettings) -> bool:
    """Want it whatever the session is set to."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivingEvent:
    """One kind of event.

    Attributes:
        code: The library's number of it.
        tell: What a record of it tells. May raise: it is a stranger's.
        salvage: What is told of a record for which `tell` has raised. Never raises.
        is_wanted: Whether the library is asked for it, by what the session is set to.
        volatile_seconds: Of what is worth telling for a moment only (who is there, who is typing),
            how long that is: it is in no spool, and what comes too late is dropped. None: it is
            spooled, and told whatever happens.
    """

    code: int
    tell: Tell
    salvage: Tell = as_unreadable
    is_wanted: Callable[[HostSettings], bool] = always
    volatile_seconds: float | None = None
