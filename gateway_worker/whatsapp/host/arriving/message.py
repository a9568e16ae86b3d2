"""A message."""

from typing import Final

from neonize.proto.Neonize_pb2 import Message

from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.message import message
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.salvage import salvaged
from gateway_worker.whatsapp.host.arriving.event import ArrivingEvent, is_offline


def _tell(record: Record, people: People) -> tuple[Arrival | None, ...]:
    event = Message.FromString(record.payload)
    return (message(event, offline=is_offline(record), people=people),)


def _salvage(record: Record, people: People) -> tuple[Arrival | None, ...]:
    parse = Message.FromString
    return (salvaged(record.payload, parse=parse, offline=is_offline(record), people=people),)


CODE: Final = 17
EVENTS: Final = (ArrivingEvent(code=CODE, tell=_tell, salvage=_salvage),)
