"""A message for which there is no key."""

from typing import Final

from neonize.proto.Neonize_pb2 import UndecryptableMessage

from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.undecryptable import undecryptable
from gateway_worker.whatsapp.host.arriving.event import ArrivingEvent


def _tell(record: Record, people: People) -> tuple[Arrival | None, ...]:
    return (undecryptable(UndecryptableMessage.FromString(record.payload), people=people),)


CODE: Final = 44
EVENTS: Final = (ArrivingEvent(code=CODE, tell=_tell),)
