"""After how long messages of the account's new chats disappear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import ANY, Answer
from gateway_worker.sandbox.server.stanzas import error, result

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.wire.node import Node

_SECONDS: Final = frozenset({"0", "86400", "604800", "7776000"})


def change(session: DeviceSession, query: Node) -> Node | None:
    """Take one of the times that there are."""
    duration = query.require_child("disappearing_mode").get("duration")
    if duration not in _SECONDS:
        return error(query, 400, "bad-request")
    session.account.profile.default_timer = int(duration)
    return result(query)


ANSWERS: Final = (Answer(xmlns="disappearing_mode", type="set", child=ANY, run=change),)
