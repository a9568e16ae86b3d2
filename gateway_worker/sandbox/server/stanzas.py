"""Replies that many modules build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.service.faults import StreamEnd
from gateway_worker.sandbox.wire.jid import SERVER
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.fault_rules import Failure

BANNED: Final = 402


def result(query: Node, *children: Node) -> Node:
    """The answer to a query that went well."""
    return Node("iq", {"from": SERVER, "id": query.get("id"), "type": "result"}, children or None)


def error(query: Node, code: int, text: str, *, backoff_seconds: int | None = None) -> Node:
    """The answer to a query that failed."""
    child = problem(code, text, backoff_seconds=backoff_seconds)
    return Node("iq", {"from": SERVER, "id": query.get("id"), "type": "error"}, (child,))


def problem(code: int, text: str, *, backoff_seconds: int | None = None) -> Node:
    """An error as an element: of a whole query, or of what was asked about one user."""
    attrs: Attrs = {"code": str(code), "text": text}
    if backoff_seconds is not None:
        attrs["backoff"] = str(backoff_seconds)
    return Node("error", attrs)


def login_failure(failure: Failure) -> Node:
    """What a refused login gets instead of success."""
    attrs: Attrs = {"reason": str(failure.reason), "location": "loc"}
    if failure.reason == BANNED:
        attrs |= {"code": str(failure.ban_code), "expire": str(failure.expire_seconds)}
    return Node("failure", attrs)


def stream_error(end: StreamEnd) -> Node:
    """The last stanza of a connection that the server ends."""
    if end is StreamEnd.REPLACED:
        return Node("stream:error", {}, (Node("conflict", {"type": "replaced"}),))
    if end is StreamEnd.DEVICE_REMOVED:
        conflict = Node("conflict", {"type": "device_removed"})
        return Node("stream:error", {"code": "401"}, (conflict,))
    return Node("stream:error", {"code": end.value})
