"""What has changed about people, and pictures of groups."""

from typing import Final

from neonize.proto.Neonize_pb2 import IdentityChange, Picture

from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert import contact_news, group_news
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.recipients import GROUP_SERVER
from gateway_worker.whatsapp.host import notice_identity
from gateway_worker.whatsapp.host.arriving.event import ArrivingEvent, as_nothing


def _picture(record: Record, people: People) -> tuple[Arrival | None, ...]:
    event = Picture.FromString(record.payload)
    news = group_news if event.JID.Server == GROUP_SERVER else contact_news
    return (news.picture(event, people=people),)


def _identity(record: Record, people: People) -> tuple[Arrival | None, ...]:
    return (contact_news.identity(IdentityChange.FromString(record.payload), people=people),)


EVENTS: Final = (
    ArrivingEvent(code=23, tell=_picture, salvage=as_nothing, identity=notice_identity.of_all),
    ArrivingEvent(code=24, tell=_identity, salvage=as_nothing, identity=notice_identity.of_all),
)
