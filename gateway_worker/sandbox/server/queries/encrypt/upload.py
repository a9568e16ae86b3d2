"""The companion publishes its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import ANY, Answer
from gateway_worker.sandbox.server.queries.encrypt._wire import (
    ID_BYTES,
    KEY_BYTES,
    REGISTRATION_BYTES,
    number,
    signed_prekey,
)
from gateway_worker.sandbox.server.stanzas import result
from gateway_worker.sandbox.signal.keys import PreKeyBundle, PublicPreKey

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.wire.node import Node


def upload(session: DeviceSession, query: Node) -> Node | None:
    """Take them; earlier one-time prekeys stay valid."""
    session.service.keys.publish(
        session.jid,
        PreKeyBundle(
            registration_id=number(query.require_child("registration"), REGISTRATION_BYTES),
            identity=query.require_child("identity").sized(KEY_BYTES),
            signed=signed_prekey(query.require_child("skey")),
        ),
        [
            PublicPreKey(
                key_id=number(key.require_child("id"), ID_BYTES),
                public=key.require_child("value").sized(KEY_BYTES),
            )
            for key in query.require_child("list").all("key")
        ],
    )
    return result(query)


ANSWERS: Final = (Answer(xmlns="encrypt", type="set", child=ANY, run=upload),)
