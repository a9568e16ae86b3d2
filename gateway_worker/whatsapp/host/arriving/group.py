"""A group: the account is in it now, or something about it or its members changes."""

from typing import Final

from neonize.proto.Neonize_pb2 import GroupInfoEvent, JoinedGroup

from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert import group_news
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.host import notice_identity
from gateway_worker.whatsapp.host.arriving.event import ArrivingEvent, as_nothing


def _joined(record: Record, people: People) -> tuple[Arrival | None, ...]:
    return (group_news.joined(JoinedGroup.FromString(record.payload), people=people),)


def _changed(record: Record, people: People) -> tuple[Arrival | None, ...]:
    return group_news.changed(GroupInfoEvent.FromString(record.payload), people=people)


EVENTS: Final = (
    ArrivingEvent(code=21, tell=_joined, salvage=as_nothing, identity=notice_identity.of_all),
    ArrivingEvent(
        code=22, tell=_changed, salvage=as_nothing, identity=notice_identity.of_group_change
    ),
)
