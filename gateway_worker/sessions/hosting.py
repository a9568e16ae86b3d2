"""The port to session hosts: one WhatsApp connection each, in a process of its own.

What a host is told, what it tells, and what it can be asked for; `whatsapp/` implements it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gateway_contracts import Account, Content, ReceiptStatus
from gateway_contracts.commands import Pairing
from gateway_contracts.events import Participant, UndecryptableReason
from gateway_worker.host_protocol.methods import Method, R


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec:
    """How to start a session's host.

    Attributes:
        session_id: Whose host it is.
        directory: The session's own directory (device store, spool); made if missing, mode 0700.
        resume_jid: The device to resume, exactly as paired (`user:device@s.whatsapp.net`); None to
            pair a new one.
        pairing: How to pair when there is nothing to resume.
        device_name: What the phone's list of linked devices shows.
        worker_id: Who runs it, for the journal of sends.
        epoch: Under which epoch, likewise.
    """

    session_id: str
    directory: Path
    resume_jid: str | None
    pairing: Pairing
    device_name: str
    worker_id: str = ""
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QrIssued:
    """A new QR code; the one before is void. `valid_seconds` counts from now."""

    code: str
    valid_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCodeIssued:
    """A code to type on the phone."""

    code: str
    valid_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """The phone linked this device. `account.jid` is the full device JID needed to resume."""

    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingEnded:
    """Pairing ended without a link: `timed_out` if nobody scanned. The host exits by itself."""

    timed_out: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkUp:
    """Logged in and ready to send. `account` as the store has it."""

    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDown:
    """The connection is gone; the library reconnects by itself."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEnded:
    """WhatsApp ended the session's connection for good; the library does not reconnect.

    Attributes:
        reason: `logged_out` (unlinked: the store is void), `replaced` (the same device logged in
            elsewhere), `temporary_ban`, `banned`, `client_outdated`, `refused`, `store_lost`
            (the store does not hold the device to resume), `store_unreachable` (its database or
            disk does not do what is asked of it), `unreachable` (the first connection could not
            be made) or `library_stopped` (it tells no more events, over something that WhatsApp
            has said and that it does not know). After the last three a new host may try again,
            after the last one at once: each moment without one is a moment without messages.
        detail: For people.
        retry_after_seconds: When a temporary ban ends, if known.
    """

    reason: str
    detail: str
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """A message that arrived (`from_me`: written on the owner's phone)."""

    record: int
    message_id: str
    chat: str
    sender: Participant
    from_me: bool
    is_group: bool
    timestamp: datetime
    content: Content
    quoted_id: str | None = None
    quoted_participant: str | None = None
    offline: bool = False
    partial: bool = False
    """Something of it did not fit, and stands for itself in another way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundReceipt:
    """A receipt for messages of ours; one per status and participant."""

    record: int
    message_ids: tuple[str, ...]
    chat: str
    participant: Participant
    status: ReceiptStatus
    timestamp: datetime
    partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UndecryptableMessage:
    """A message that could not be read; told each time that it comes."""

    record: int
    message_id: str
    chat: str | None
    sender: Participant | None
    timestamp: datetime | None
    reason: UndecryptableReason


@dataclass(frozen=True, slots=True, kw_only=True)
class HostExited:
    """The host's process is gone; always the last event. `expected` after `stop` or `logout`."""

    expected: bool
    detail: str


HostEvent = (
    QrIssued
    | PairCodeIssued
    | Paired
    | PairingEnded
    | LinkUp
    | LinkDown
    | LinkEnded
    | InboundMessage
    | InboundReceipt
    | UndecryptableMessage
    | HostExited
)
"""What a host tells. Those with a `record` come from its spool: acknowledge after the commit."""

HostListener = Callable[[HostEvent], Awaitable[None]]
"""Called in order, one event at a time; a slow listener slows the host (back-pressure)."""


class SessionHost(Protocol):
    """One running host. Every call may raise `SessionNotConnectedError` if the process is gone."""

    @property
    def pid(self) -> int:
        """The process id, for memory accounting and fault tests."""
        ...

    async def request(self, call: Method[R], *, command_id: str | None = None) -> R:
        """Call a method of the host and return its answer.

        With a `command_id` the host notes on disk when it begins what must not be done twice, and
        how that ended, and a host that dies meanwhile leaves an uncertain end only between these
        two.

        Raises:
            SessionNotConnectedError: It has had no effect; the host is gone, or not connected.
            RecipientNotOnWhatsAppError: Nothing was sent.
            RateLimitedError: The server wants fewer requests; it has had no effect.
            StaleKeysError: The server refused it, and may take another one.
            UpstreamRejectedError: The server refused it for good.
            UpstreamTimeoutError: The server did not answer; it has had no effect, or may be
                repeated.
            UncertainError: Nobody knows whether it has had an effect that it must not have twice.
        """
        ...

    async def stop(self) -> None:
        """Disconnect and leave; killed after a few seconds. Never raises; idempotent."""
        ...

    def kill(self) -> None:
        """End the process at once. Never raises; idempotent."""
        ...

    def acknowledge(self, record: int) -> None:
        """Let the host forget the spooled event with this record. Cheap, never blocks."""
        ...


class HostLauncher(Protocol):
    """Starts hosts. Ready hosts share their memory with the process they are forked from."""

    async def launch(self, spec: HostSpec, listener: HostListener) -> SessionHost:
        """Start a host and return once its process runs; what follows comes to `listener`.

        Raises:
            DependencyError: No process could be started.
        """
        ...


class LeftoverSpools(Protocol):
    """What hosts had received and nobody has committed, of sessions that live elsewhere by now."""

    def leftovers(self, directory: Path) -> bool:
        """Whether a directory's spool holds such records. Reads files; for a directory at rest.

        Raises:
            OSError: It cannot be read.
        """
        ...

    async def replay(self, spec: HostSpec, listener: HostListener) -> SessionHost:
        """Start a host that tells what is in a directory's spool, and nothing else.

        It has no connection. When all records are acknowledged it leaves, as expected. It waits for
        the directory's lock like any other host.

        Raises:
            DependencyError: No process could be started.
        """
        ...
