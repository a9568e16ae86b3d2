"""What a module of this package lists: a kind of query, and the function that answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.stanzas import result

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.wire.node import Node

ANY: Final = "*"
"""Whatever a query holds, if its child has no answer of its own."""

Query = Callable[["DeviceSession", "Node"], "Node | None"]
"""Answers one query; None when it has answered by itself, or never will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A kind of query and what answers it.

    Attributes:
        xmlns: the namespace, as in the stanza.
        type: `get` or `set`.
        child: the tag of the child that names the request, or `ANY`.
        run: the function.
    """

    xmlns: str
    type: str
    child: str
    run: Query


def accept(_session: DeviceSession, query: Node) -> Node | None:
    """Say yes to what changes nothing here."""
    return result(query)
