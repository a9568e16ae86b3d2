"""A companion removes itself or another companion of its account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.stanzas import error, result

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.wire.node import Node


def remove(session: DeviceSession, query: Node) -> Node | None:
    """Unlink the device that the query names."""
    device = query.require_child("remove-companion-device").require_jid("jid")
    own = device.device == session.jid.device
    owner = session.service.accounts.find(device)
    if owner is not session.account or device.device not in owner.devices or not device.device:
        return error(query, 404, "item-not-found")
    session.deliver(result(query))
    if own:
        session.service.linking.unlink(device, end=None)
        session.leave()
    else:
        session.service.linking.unlink(device)
    return None


ANSWERS: Final = (Answer(xmlns="md", type="set", child="remove-companion-device", run=remove),)
