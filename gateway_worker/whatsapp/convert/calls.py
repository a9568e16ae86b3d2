"""Events of the library about calls, as events of the contract."""

from typing import Any, Final

from gateway_worker.host_protocol.ids import stand_in
from gateway_worker.host_protocol.times import is_time, rfc3339_or_now
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.people import People, address, is_address, without_device
from gateway_worker.whatsapp.convert.texts import is_message_id, message_id, short, short_id

CALL_RECEIVED: Final = "wa.call.received.v1"
CALL_ENDED: Final = "wa.call.ended.v1"
_REASON_CHARACTERS: Final = 64
_VIDEO: Final = "video"
_GROUP: Final = "group"


def offered(event: Any, *, people: People) -> Arrival:
    """Return what is told of a call that rings.

    Args:
        event: The library's `CallOffer`: `data` is the offer as WhatsApp sent it.
        people: Who is who.
    """
    video = any(child.Tag == _VIDEO for child in event.data.Nodes)
    data = _call(event.basicCallMeta, event.data, people) | {"video": video}
    return Arrival(type=CALL_RECEIVED, data=data)


def announced(event: Any, *, people: People) -> Arrival:
    """Return what is told of a call of which there is only a notice, as of one in a group.

    Args:
        event: The library's `CallOfferNotice`.
        people: Who is who.
    """
    data = _call(event.basicCallMeta, event.data, people)
    is_group = data["is_group"] or event.type == _GROUP
    return Arrival(
        type=CALL_RECEIVED, data=data | {"video": event.media == _VIDEO, "is_group": is_group}
    )


def ended(event: Any, *, people: People) -> Arrival:
    """Return what is told of a call that is over.

    Args:
        event: The library's `CallTerminate`.
        people: Who is who.
    """
    data = _call(event.basicCallMeta, event.data, people)
    return Arrival(
        type=CALL_ENDED, data=data | {"reason": short(event.reason, _REASON_CHARACTERS) or None}
    )


def _call(meta: Any, node: Any, people: People) -> dict[str, Any]:
    """Return what the events of calls have in common."""
    creator = meta.callCreator if meta.callCreator.User else getattr(meta, "from")
    caller = people.person(creator, meta.callCreatorAlt)
    group = _attribute(node, "group-jid")
    return {
        "call_id": message_id(meta.callID) or stand_in(meta.callID),
        "chat": short_id(without_device(group)) if group else caller.jid,
        "chat_lid": None if group else caller.lid,
        "caller": caller,
        "creator": address(creator),
        "is_group": bool(group),
        "timestamp": rfc3339_or_now(meta.timestamp),
        "partial": not (
            is_message_id(meta.callID) and is_time(meta.timestamp) and is_address(creator)
        ),
    }


def _attribute(node: Any, name: str) -> str:
    """Return an attribute of a stanza as text; empty if it has none of that name."""
    for attribute in node.Attrs:
        if attribute.name == name:
            jid = attribute.jid
            return f"{jid.User}@{jid.Server}" if attribute.HasField("jid") else attribute.text
    return ""
