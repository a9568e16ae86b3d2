"""Where files are uploaded to and downloaded from, and the token for uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.media_hosts import HOST
from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.stanzas import result
from gateway_worker.sandbox.service.media.tokens import TOKEN_SECONDS
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession

ASK_AGAIN_SECONDS: Final = 300


def show(session: DeviceSession, query: Node) -> Node | None:
    """Name the one host there is."""
    attrs: Attrs = {
        "auth": session.service.media.tokens.issue(session.record),
        "ttl": str(ASK_AGAIN_SECONDS),
        "auth_ttl": str(TOKEN_SECONDS),
        "max_buckets": "12",
    }
    return result(query, Node("media_conn", attrs, (Node("host", {"hostname": HOST}),)))


ANSWERS: Final = (Answer(xmlns="w:m", type="set", child="media_conn", run=show),)
