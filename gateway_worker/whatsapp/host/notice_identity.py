"""What tells one notice from another: of its library's bytes, so that it is the same each time.

It depends neither on what is known of people at the moment, nor on how the contract writes it.
"""

from typing import Any

from neonize.proto.Neonize_pb2 import CallOffer, CallOfferNotice, CallTerminate, GroupInfoEvent


def of_all(payload: bytes) -> bytes:
    """Return the identity of a notice of which every field counts, and none may vary."""
    return payload


def of_call(payload: bytes) -> bytes:
    """Return the identity of a call, as far as it is one: its id, its caller and its time.

    What WhatsApp's server adds for whoever might answer it need not be the same again.
    """
    return _of_call(CallOffer.FromString(payload))


def of_announced_call(payload: bytes) -> bytes:
    """Return the identity of a call in a group, likewise."""
    return _of_call(CallOfferNotice.FromString(payload))


def of_ended_call(payload: bytes) -> bytes:
    """Return the identity of the end of a call, likewise."""
    return _of_call(CallTerminate.FromString(payload))


def of_group_change(payload: bytes) -> bytes:
    """Return the identity of a change of a group: all but what its maker calls himself just now.

    The library writes the attributes of what it does not know in an order by chance.
    """
    event = GroupInfoEvent.FromString(payload)
    event.ClearField("Notify")
    for node in event.UnknownChanges:
        _put_in_order(node)
    return _bytes_of(event)


def _of_call(event: Any) -> bytes:
    return _bytes_of(event.basicCallMeta)


def _put_in_order(node: Any) -> None:
    node.Attrs.sort(key=_bytes_of)
    for child in node.Nodes:
        _put_in_order(child)


def _bytes_of(message: Any) -> bytes:
    written: bytes = message.SerializePartialToString(deterministic=True)
    return written
