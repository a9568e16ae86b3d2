"""What comes for a phone: handled in order, at once or when somebody looks.

A lazy phone that nobody watches only acknowledges messages, and decrypts them when somebody looks.
It then is late to ask again for one that it cannot read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway_worker.sandbox.phones.incoming import Incoming
    from gateway_worker.sandbox.wire.node import Node

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Arrivals:
    """The stanzas of one phone; `run` handles them."""

    def __init__(
        self,
        *,
        incoming: Incoming,
        lazy: bool,
        is_watched: Callable[[], bool],
        on_handled: Callable[[], None],
        on_error: Callable[[str, Exception], None],
    ) -> None:
        """Start empty.

        Args:
            incoming: handles one stanza.
            lazy: leave messages until somebody looks.
            is_watched: whether somebody waits for what comes.
            on_handled: called after each stanza.
            on_error: told what could not be handled: the stanza's tag and the error.
        """
        self._incoming = incoming
        self._lazy = lazy
        self._is_watched = is_watched
        self._on_handled = on_handled
        self._on_error = on_error
        self._unread: deque[Node] = deque()
        self._stanzas: deque[Node] = deque()
        self._came = asyncio.Event()

    def put(self, node: Node) -> None:
        """Take a stanza; returns at once."""
        if self._lazy and node.tag == "message" and not (self._stanzas or self._is_watched()):
            self._unread.append(node)
            # Not before the caller is through: the receipt follows the ack, in the same write.
            asyncio.get_running_loop().call_soon(self._incoming.acknowledge, node)
            return
        self._stanzas.append(node)
        self._came.set()

    def look(self) -> None:
        """Read what was only acknowledged so far."""
        while self._unread:
            self._handle(self._unread.popleft(), acknowledged=True)

    async def run(self) -> None:
        """Handle what comes, until cancelled."""
        while True:
            await self._came.wait()
            self._came.clear()
            while self._stanzas:
                node = self._stanzas.popleft()
                if node.tag == "message":
                    self.look()  # what came before it
                self._handle(node, acknowledged=False)

    def _handle(self, node: Node, *, acknowledged: bool) -> None:
        try:
            self._incoming.handle(node, acknowledged=acknowledged)
            self._on_handled()
        except Exception as error:  # the phone goes on; whoever looks at it is told
            log.warning("sandbox.phone.stanza_failed", tag=node.tag, exc_info=True)
            self._on_error(node.tag, error)
