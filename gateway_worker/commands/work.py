"""A delivery on its way through the dispatcher, with what is in it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from gateway_contracts import (
    MAX_COMMAND_BYTES,
    Command,
    CommandRejectedError,
    oversized_command,
    parse_command,
)
from gateway_worker.commands.handlers import HANDLERS
from gateway_worker.commands.lanes import Lane, Order
from gateway_worker.commands.ports import Delivery
from gateway_worker.commands.session_lanes import Ticket
from gateway_worker.commands.unauthorized import check_covered, check_known
from gateway_worker.errors import GatewayError
from gateway_worker.sessions.peer_messages import (
    MAX_PEER_MESSAGE_BYTES,
    PeerMessage,
    PeerMessageError,
    PeerMessageKind,
)

Unreadable = TypeVar("Unreadable", CommandRejectedError, PeerMessageError)
InterleavedJob = Callable[[], Awaitable[None]]
"""Something of the worker's own to be done between two commands of a session."""


@dataclass(eq=False, slots=True, kw_only=True)
class Work:
    """A delivery with what is in it, or with the reason why that cannot be read.

    Attributes:
        arrived: When it came, by the monotonic clock.
        lane: What it is to the others of its session.
        order: Of a send, what its order holds among; None: among all.
        ticket: Its place among them.
        alarms: What ends its waiting.
        failure: Why it is not to be executed any more; it has been waiting for too long.
        look_again: When to ask next whether its session is stranded, by the monotonic clock.
        has_ended: Whether it has an outcome.
        puts_off: Whether it is to be stored until its time has come, and not executed now.
    """

    delivery: Delivery
    content: Command | PeerMessage | CommandRejectedError | PeerMessageError
    arrived: float
    lane: Lane
    order: Order | None = None
    ticket: "Ticket[Work | InterleavedJob] | None" = None
    alarms: list[asyncio.TimerHandle] = field(default_factory=list)
    failure: GatewayError | None = None
    look_again: float = 0.0
    has_ended: bool = False
    puts_off: bool = False

    @classmethod
    def of(
        cls,
        delivery: Delivery,
        content: Command | PeerMessage | CommandRejectedError | PeerMessageError,
        *,
        puts_off: bool,
    ) -> "Work":
        """Return a delivery that has just come, with its place among the others."""
        lane = lane_of(content)
        if puts_off:
            lane = Lane.LOOKUPS  # nothing is sent: it waits for nobody
        elif delivery.deferred is not None:
            lane = Lane.DEFERRED
        return cls(
            delivery=delivery,
            content=content,
            arrived=time.monotonic(),
            lane=lane,
            order=order_of(content),
            puts_off=puts_off,
        )

    def rest(self) -> None:
        """Stop the alarms and give up its place: it has ended.

        A place knows what it is the place of. Left together they would be in memory, with the body,
        until all that lives long is looked at for garbage, which is seldom.
        """
        for alarm in self.alarms:
            alarm.cancel()
        self.alarms.clear()
        self.ticket = None


def read_delivery(
    delivery: Delivery,
) -> tuple[str, Command | PeerMessage | CommandRejectedError | PeerMessageError]:
    """Return the mailbox of a delivery and what is in it.

    This is where every command is compared with what its sender may do.
    """
    if delivery.deferred is not None:
        command = delivery.deferred.command
        return command.subject, command
    if delivery.control is not None:
        if delivery.size_bytes > MAX_PEER_MESSAGE_BYTES:
            return "unreadable", PeerMessageError(
                f"a control message of {delivery.size_bytes} bytes"
            )
        try:
            control = PeerMessage.decode(delivery.control, delivery.body)
        except PeerMessageError as error:
            return "unreadable", _as_value(error)
        return control.session_id, control
    try:
        check_known(delivery)
        if delivery.size_bytes > MAX_COMMAND_BYTES:
            raise oversized_command(delivery.body, size_bytes=delivery.size_bytes)
        command = parse_command(delivery.body)
        check_covered(delivery, command)
    except CommandRejectedError as rejected:
        return rejected.session_id or "unreadable", _as_value(rejected)
    return command.subject, command


def _as_value(error: Unreadable) -> Unreadable:
    """Return an error without the frames that it has come through.

    They hold the delivery, which would be in memory with them until garbage is looked for.
    """
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def lane_of(content: Command | PeerMessage | CommandRejectedError | PeerMessageError) -> Lane:
    """Say what a delivery is to the others of its session."""
    match content:
        case CommandRejectedError() | PeerMessageError():
            return Lane.FREE
        case PeerMessage():
            # A marker says that all before it has come: it must not overtake a command.
            return Lane.SENDS if content.kind is PeerMessageKind.MARKER else Lane.PEERS
        case command:
            return HANDLERS[command.type].lane


def order_of(
    content: Command | PeerMessage | CommandRejectedError | PeerMessageError,
) -> Order | None:
    """Say what the order of a delivery holds among; None: among all of its lane."""
    if isinstance(content, PeerMessage | CommandRejectedError | PeerMessageError):
        return None
    order = HANDLERS[content.type].order
    return None if order is None else order(content)
