"""What makes an event that tells of something that has arrived, or has happened."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final

from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert.arrival import Arrival, Tell, unreadable
from gateway_worker.whatsapp.convert.people import People

OFFLINE_FLAG: Final = 1
"""Flag of a record: the message had waited at WhatsApp."""
MOST_REPEATS: Final = 127
_REPEATS_SHIFT: Final = 1
_DIGEST_BYTES: Final = 16


def as_nothing(_record: Record, _people: People) -> tuple[Arrival | None, ...]:
    """Return nothing: the record is kept aside, and there is no message that could be missed."""
    return ()


def as_unreadable(record: Record, _people: People) -> tuple[Arrival | None, ...]:
    """Return that there was something of which nothing can be read."""
    return (unreadable(record.payload),)


def is_offline(record: Record) -> bool:
    """Whether what a record holds had waited at WhatsApp."""
    return bool(record.flags & OFFLINE_FLAG)


def repeats_flag(repeats: int) -> int:
    """Return the flags of a record for how often the same has come before it since the login."""
    return min(repeats, MOST_REPEATS) << _REPEATS_SHIFT


def identified(
    found: Iterable[Arrival | None], record: Record, identity: Callable[[bytes], bytes]
) -> Iterator[Arrival | None]:
    """Yield what a record tells with what each of it is known again by.

    The same from the spool once more, and from WhatsApp after another login, to whichever host. One
    that did not fit is another than the same one that does, in a later release.
    """
    digest = blake2b(identity(record.payload), digest_size=_DIGEST_BYTES).hexdigest()
    repeats = record.flags >> _REPEATS_SHIFT
    places: Counter[str] = Counter()
    for one in found:
        if one is None:
            yield None
            continue
        partial = " partial" if one.is_partial else ""
        place = f"{record.code} {repeats} {places[one.type]}"
        places[one.type] += 1
        yield replace(one, identity=f"{digest} {place}{partial}")


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
        identity: Of what is told once, however often it comes: what of the library's bytes tells it
            from others of its kind.
    """

    code: int
    tell: Tell
    salvage: Tell = as_unreadable
    is_wanted: Callable[[HostSettings], bool] = always
    volatile_seconds: float | None = None
    identity: Callable[[bytes], bytes] | None = None
