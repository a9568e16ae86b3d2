"""The stage of a companion that is logged in."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import TYPE_CHECKING, Final

import structlog

from gateway_worker.sandbox.server import refusals
from gateway_worker.sandbox.server.stanzas import stream_error
from gateway_worker.sandbox.service.errors import UnknownAccountError
from gateway_worker.sandbox.service.fault_rules import Delay, Drop, Error, Point, Silence
from gateway_worker.sandbox.wire.errors import WireError
from gateway_worker.sandbox.wire.jid import SERVER
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.connection import Connection
    from gateway_worker.sandbox.server.queries.table import QueryTable
    from gateway_worker.sandbox.server.unknown import UnknownQueries
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.service.fault_rules import Rule
    from gateway_worker.sandbox.service.faults import StreamEnd
    from gateway_worker.sandbox.service.service import Service
    from gateway_worker.sandbox.wire.jid import Jid

RELAYED: Final = frozenset({"message", "receipt", "ack", "chatstate", "presence", "call"})
SILENT: Final = frozenset({"ib"})
"""Telemetry and hints that get no answer."""
TRANSIENT: Final = frozenset({"chatstate", "presence"})
"""What is worth nothing later; a full connection drops it."""
MAX_HELD_REPLIES: Final = 10_000
"""A client that asks so much and reads no answer is cut; its mailbox has what it must not miss."""
LEAVE_SECONDS: Final = 5.0

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class DeviceSession:
    """A `Stage` of the connection and the service's `CompanionLink`."""

    def __init__(
        self,
        *,
        connection: Connection,
        service: Service,
        account: Account,
        record: DeviceRecord,
        queries: QueryTable,
        unknown: UnknownQueries,
    ) -> None:
        """Prepare; the caller has checked who it is."""
        self._connection = connection
        self._queries = queries
        self._unknown = unknown
        self._held: deque[Node] = deque()
        self._held_replies = 0
        self.service = service
        self.account = account
        self.record = record

    @property
    def jid(self) -> Jid:
        """See `Device`."""
        return self.record.lid

    def deliver(self, node: Node) -> None:
        """See `Device`; what a full connection cannot take waits here, in order."""
        if self._is_silenced(node):
            return
        if not self._held and not self._connection.is_full:
            self._connection.send(node)
        elif node.tag not in TRANSIENT:
            self._held.append(node)

    def on_room(self) -> None:
        """See `Stage`."""
        while self._held and not self._connection.is_full:
            self._connection.send(self._held.popleft())
        if not self._held:
            self._held_replies = 0

    def drop(self) -> None:
        """See `CompanionLink`."""
        self._detach()
        self._connection.abort()

    def end(self, end: StreamEnd) -> None:
        """See `CompanionLink`."""
        self._detach()
        self._connection.close(stream_error(end))

    def leave(self) -> None:
        """The companion has asked to go: it closes the connection itself, or is made to."""
        self._detach()
        asyncio.get_running_loop().call_later(LEAVE_SECONDS, self._connection.close)

    def activate(self) -> None:
        """The companion is ready: send what waits for it and announce the end of it."""
        if self.record.mailbox.sink is self:
            return
        waiting = Counter(node.tag for node in self.record.mailbox.waiting())
        total = str(waiting.total())
        preview: Attrs = {"count": total, "appdata": "0"}
        for tag in ("message", "receipt", "notification"):
            preview[tag] = str(waiting[tag])
        self._tell(Node("offline_preview", preview))
        self.record.mailbox.open(self)
        self._tell(Node("offline", {"count": total}))

    def on_stanza(self, node: Node) -> None:
        """See `Stage`."""
        if self._is_silenced(node):
            return
        if node.tag in RELAYED:
            self._relay(node)
        elif node.tag == "iq":
            self._answer(node)
        elif node.tag not in SILENT:
            self._unknown.note(node)

    def on_close(self) -> None:
        """See `Stage`."""
        self._detach()

    def _is_silenced(self, node: Node) -> bool:
        return self.service.faults.consume(Point.STANZA, self.record, Silence, node) is not None

    def _detach(self) -> None:
        self._held.clear()
        self.record.mailbox.close(self)
        if self.record.link is self:
            self.record.link = None
            self.service.accounts.forget_subscriptions(self.jid)

    def _relay(self, node: Node) -> None:
        try:
            outcome = self.service.relay.route(self.record.lid, node)
        except UnknownAccountError as error:
            raise WireError("the sender was unlinked") from error
        if outcome.ack is not None:
            self._send(outcome.ack, outcome.delay_seconds)

    def _answer(self, node: Node) -> None:
        if node.get("type") in ("result", "error"):
            return
        fault = self.service.faults.fault(Point.IQ, self.record, (Drop, Error), node)
        if fault is not None and isinstance(fault.effect, Drop):
            return
        late = self.service.faults.consume(Point.IQ, self.record, Delay, node)
        reply = self._reply(node, fault)
        if reply is not None:
            self._send(reply, 0.0 if late is None else late.seconds)

    def _reply(self, node: Node, refusal: Rule | None) -> Node | None:
        if refusal is not None and refusals.is_whole(refusal):
            return refusals.whole(refusal, node)
        query = self._queries.find(node)
        reply = query(self, node) if query is not None else self._unknown.refuse(node)
        if reply is not None and refusal is not None:
            reply = refusals.in_part(refusal, reply, self.service.accounts)
        return reply

    def _send(self, node: Node, delay_seconds: float) -> None:
        if delay_seconds:
            asyncio.get_running_loop().call_later(delay_seconds, self._reply_now, node)
        else:
            self._reply_now(node)

    def _reply_now(self, node: Node) -> None:
        self.deliver(node)
        if self._held:
            self._held_replies += 1
            if self._held_replies > MAX_HELD_REPLIES:
                log.warning("sandbox.client_reads_nothing", device=self.record.lid.device)
                self.drop()

    def _tell(self, content: Node) -> None:
        self.deliver(Node("ib", {"from": SERVER}, (content,)))
