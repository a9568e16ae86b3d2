"""Addresses that the service does not know: nobody gets anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.routes.route import Sender
    from gateway_worker.sandbox.wire.jid import Jid
    from gateway_worker.sandbox.wire.node import Attrs, Node

UNKNOWN_RECIPIENT: Final = "404"


class NowhereRoute:
    """Says that there is no such recipient."""

    def message(self, _sender: Sender, _to: Jid, _node: Node) -> Attrs:
        """See `Route`."""
        return {"error": UNKNOWN_RECIPIENT}

    def receipt(self, _sender: Sender, _to: Jid, _node: Node) -> None:
        """See `Route`."""

    def chatstate(self, _sender: Sender, _to: Jid, _node: Node) -> None:
        """See `Route`."""
