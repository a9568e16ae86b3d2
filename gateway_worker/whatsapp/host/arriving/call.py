"""A call: it rings, in a chat or in a group, and it is over."""

from typing import Final

from neonize.proto.Neonize_pb2 import CallOffer, CallOfferNotice, CallTerminate

from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert import calls
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.host import notice_identity
from gateway_worker.whatsapp.host.arriving.event import ArrivingEvent, as_nothing


def _offered(record: Record, people: People) -> tuple[Arrival | None, ...]:
    return (calls.offered(CallOffer.FromString(record.payload), people=people),)


def _announced(record: Record, people: People) -> tuple[Arrival | None, ...]:
    return (calls.announced(CallOfferNotice.FromString(record.payload), people=people),)


def _ended(record: Record, people: People) -> tuple[Arrival | None, ...]:
    return (calls.ended(CallTerminate.FromString(record.payload), people=people),)


EVENTS: Final = (
    ArrivingEvent(code=36, tell=_offered, salvage=as_nothing, identity=notice_identity.of_call),
    ArrivingEvent(
        code=40, tell=_announced, salvage=as_nothing, identity=notice_identity.of_announced_call
    ),
    ArrivingEvent(code=42, tell=_ended, salvage=as_nothing, identity=notice_identity.of_ended_call),
)
