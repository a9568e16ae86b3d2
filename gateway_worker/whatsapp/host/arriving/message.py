"""A message."""

from typing import Final

from neonize.proto.Neonize_pb2 import Message

from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.message import message
from gateway_worker.whatsapp.convert.opening import SecretsOf, opened_event
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.salvage import salvaged
from gateway_worker.whatsapp.host.arriving.event import ArrivingEvent, is_offline


def _tell(record: Record, people: People) -> tuple[Arrival | None, ...]:
    event = Message.FromString(record.payload)
    return (message(event, offline=is_offline(record), people=people),)


def tell_opened(record: Record, people: People, secrets_of: SecretsOf) -> Arrival | None:
    """Return what a record tells in the open that is encrypted once more; None if nobody can tell.

    Args:
        record: A message.
        people: Who is who.
        secrets_of: What the device store has.
    """
    event = opened_event(Message.FromString(record.payload), people=people, secrets_of=secrets_of)
    if event is None:
        return None
    told = message(event, offline=is_offline(record), people=people)
    return None if told is None or told.content["kind"] == _UNSUPPORTED else told


def _salvage(record: Record, people: People) -> tuple[Arrival | None, ...]:
    parse = Message.FromString
    return (salvaged(record.payload, parse=parse, offline=is_offline(record), people=people),)


_UNSUPPORTED: Final = "unsupported"
CODE: Final = 17
EVENTS: Final = (ArrivingEvent(code=CODE, tell=_tell, salvage=_salvage),)
