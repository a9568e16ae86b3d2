"""The companion is ready for stanzas, or not any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import ANY, Answer
from gateway_worker.sandbox.server.stanzas import result

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.wire.node import Node


def activate(session: DeviceSession, query: Node) -> Node | None:
    """Answer first: what waits for the companion comes after the answer."""
    session.deliver(result(query))
    session.activate()
    return None


def deactivate(session: DeviceSession, query: Node) -> Node | None:
    """Let stanzas wait from now on."""
    session.deliver(result(query))
    session.record.mailbox.close(session)
    return None


ANSWERS: Final = (
    Answer(xmlns="passive", type="set", child="active", run=activate),
    Answer(xmlns="passive", type="set", child=ANY, run=deactivate),
)
