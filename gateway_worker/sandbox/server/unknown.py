"""Queries that the sandbox does not know: refused at once, for clients wait 75 s for silence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from gateway_worker.sandbox.server.stanzas import error

if TYPE_CHECKING:
    from gateway_worker.sandbox.wire.node import Node

NOT_IMPLEMENTED: Final = 501

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, order=True)
class UnknownQuery:
    """A kind of query that was refused.

    Attributes:
        xmlns: namespace; the tag of a stanza that is no query.
        type: `get` or `set`.
        content: tag of the first child.
    """

    xmlns: str
    type: str
    content: str


class UnknownQueries:
    """Counts what was refused, so that a test or a person can see what is missing."""

    def __init__(self) -> None:
        """Start with none."""
        self.seen: Counter[UnknownQuery] = Counter()

    def note(self, stanza: Node) -> None:
        """Record a stanza that nobody answers."""
        child = stanza.children[0].tag if stanza.children else ""
        kind = UnknownQuery(stanza.get("xmlns", stanza.tag), stanza.get("type"), child)
        self.seen[kind] += 1
        log.info("sandbox.unknown_query", xmlns=kind.xmlns, type=kind.type, child=child)

    def refuse(self, query: Node) -> Node:
        """Record a query and build the refusal."""
        self.note(query)
        return error(query, NOT_IMPLEMENTED, "feature-not-implemented")
