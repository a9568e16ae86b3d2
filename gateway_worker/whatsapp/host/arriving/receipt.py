"""A receipt for messages."""

from typing import Final

from neonize.proto.Neonize_pb2 import Receipt

from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.receipt import receipt
from gateway_worker.whatsapp.host.arriving.event import ArrivingEvent


def _tell(record: Record, people: People) -> tuple[Arrival | None, ...]:
    return receipt(Receipt.FromString(record.payload), people=people)


def _salvage(_record: Record, _people: People) -> tuple[Arrival | None, ...]:
    return ()  # whose, and for what, is what it would have said


CODE: Final = 18
EVENTS: Final = (ArrivingEvent(code=CODE, tell=_tell, salvage=_salvage),)
