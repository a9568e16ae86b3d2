"""What a host tells of its connection, as it is told to the session."""

from enum import Enum

from gateway_worker.host_protocol.wire import Frame, Person, Wire


class QrCode(Frame, frozen=True, kw_only=True):
    """A new QR code; the one before is void. `valid_seconds` counts from now."""

    code: str
    valid_seconds: float


class PairCode(Frame, frozen=True, kw_only=True):
    """A code to type on the phone."""

    code: str
    valid_seconds: float


class Linked(Frame, frozen=True, kw_only=True):
    """The phone linked this device. `account.jid` is the full device JID needed to resume."""

    account: Person


class PairingEnd(Enum):
    """Why pairing has ended without a link."""

    TIMED_OUT = "timed_out"
    """Nobody has scanned the code."""
    PASSKEY = "passkey"
    """WhatsApp wants a passkey, which the library has no way to give."""
    FAILED = "failed"


class PairingFailed(Frame, frozen=True, kw_only=True):
    """Pairing ended without a link. The host leaves by itself."""

    end: PairingEnd
    detail: str


class Up(Frame, frozen=True, kw_only=True):
    """Logged in and ready to send. `account` as the store has it, its JID with the device."""

    account: Person


class Down(Frame, frozen=True, kw_only=True):
    """The connection is gone; the library reconnects by itself.

    Attributes:
        detail: For people.
        is_silent: It stands, and WhatsApp does not answer over it.
    """

    detail: str
    is_silent: bool = False


class Ended(Frame, frozen=True, kw_only=True):
    """The connection has ended for good, and the library does not reconnect; the host leaves.

    Attributes:
        reason: `logged_out` (unlinked: the store is void), `replaced` (the same device logged in
            elsewhere), `temporary_ban`, `banned`, `client_outdated`, `refused`, `store_lost`
            (the store does not hold the device to resume), `refused_for_now` (the server cannot
            take the login, or wants fewer of them), `store_unreachable` (its database or disk does
            not do what is asked of it), `unreachable` (the first connection could not be made),
            `silent` (WhatsApp does not answer over a connection that stands), `memory_kept` (the
            process has not given it back after an upload) or `library_stopped` (it tells no more
            events, over something that WhatsApp has said and that it does not know). After the
            last six a new host may try again, after the last two at once: each moment without one
            is a moment without messages.
        detail: For people.
        retry_after_seconds: When a temporary ban ends, if known.
    """

    reason: str
    detail: str
    retry_after_seconds: float | None = None


class Exited(Wire, frozen=True, kw_only=True):
    """The host's process is gone; always the last, and told by the worker itself.

    `expected` after `stop`, or after a method that ends the host.
    """

    expected: bool
    detail: str


Signal = QrCode | PairCode | Linked | PairingFailed | Up | Down | Ended
"""What a host itself tells."""
