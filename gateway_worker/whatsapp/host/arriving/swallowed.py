"""A message that the library has confirmed and not handed over: a line of its log says so."""

from typing import Final

from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.undecryptable import old_counter
from gateway_worker.whatsapp.host.arriving.event import ArrivingEvent


def _tell(record: Record, people: People) -> tuple[Arrival | None, ...]:
    return (old_counter(record.payload, people=people),)


def _comes_by_itself(_settings: HostSettings) -> bool:
    return False


CODE: Final = 200
EVENTS: Final = (ArrivingEvent(code=CODE, tell=_tell, is_wanted=_comes_by_itself),)
