"""How a call ended that did not succeed."""

from enum import StrEnum

from gateway_worker.host_protocol.wire import Wire


class FailureKind(StrEnum):
    """What kind of failure it is; all but the last two say that there was no effect."""

    NOT_BEGUN = "not_begun"
    """It was left alone, whether or not there is a connection."""
    NOT_CONNECTED = "not_connected"
    UNKNOWN_RECIPIENT = "unknown_recipient"
    INVALID = "invalid"
    REJECTED = "rejected"
    RATE_LIMITED = "rate_limited"
    REACHOUT_RESTRICTED = "reachout_restricted"
    """WhatsApp lets the account begin no new chats now."""
    STALE = "stale"
    TIMED_OUT = "timed_out"
    """It has had no effect, or may be repeated."""
    UNCERTAIN = "uncertain"


class Failure(Wire, frozen=True, kw_only=True):
    """How a call ended that did not succeed.

    Attributes:
        kind: A `FailureKind`; a journal of another release may hold one that is not known here.
        detail: What may be told of it: never the library's text, which has numbers of people.
        retry_after_seconds: How long to wait before another attempt, if that is known.
        attempts: How many attempts are worth while at most, the first one included; None leaves
            that to the worker.
    """

    kind: str
    detail: str = ""
    retry_after_seconds: float | None = None
    attempts: int | None = None
