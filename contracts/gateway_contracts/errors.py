"""What can go wrong, as a closed set of codes; each says whether a retry can help."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gateway_contracts.model import WireModel


class ErrorCategory(StrEnum):
    """Where the cause of a failure lies, and so who can do something about it."""

    AUTH = "auth"
    """Who has sent the command may not do that, or is not known."""
    REQUEST = "request"
    """The command: its sender has to change it."""
    SESSION = "session"
    """The session as it stands: unknown, not connected, not linked."""
    RECIPIENT = "recipient"
    RATE = "rate"
    """Too much at a time: later it goes."""
    MEDIA = "media"
    """The file that is to be sent or fetched."""
    ACCOUNT = "account"
    """WhatsApp has restricted the account."""
    UPSTREAM = "upstream"
    """WhatsApp, or the way there."""
    INTERNAL = "internal"
    """The gateway."""


class ErrorCode(StrEnum):
    """Why a command failed. The set is closed within a major version of the contract."""

    UNAUTHORIZED = "unauthorized"
    INVALID_COMMAND = "invalid_command"
    SESSION_NOT_FOUND = "session_not_found"
    SESSION_NOT_CONNECTED = "session_not_connected"
    SESSION_EXISTS = "session_exists"
    SESSION_LINKED = "session_linked"
    SESSION_NOT_LINKED = "session_not_linked"
    UNSUPPORTED = "unsupported"
    RECIPIENT_NOT_ON_WHATSAPP = "recipient_not_on_whatsapp"
    RATE_LIMITED = "rate_limited"
    REACHOUT_RESTRICTED = "reachout_restricted"
    ACCOUNT_RESTRICTED = "account_restricted"
    EXPIRED = "expired"
    NOT_ATTEMPTED = "not_attempted"
    CANCELLED = "cancelled"
    UNCERTAIN = "uncertain"
    ENCRYPTION_STALE = "encryption_stale"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_REJECTED = "upstream_rejected"
    MEDIA_UNAVAILABLE = "media_unavailable"
    MEDIA_TOO_LARGE = "media_too_large"
    MEDIA_REFUSED = "media_refused"
    QUOTA_EXCEEDED = "quota_exceeded"
    CAPACITY = "capacity"
    INTERNAL = "internal"

    @property
    def summary(self) -> str:
        """A short human sentence for the code; the same for every occurrence."""
        return _TITLES[self]

    @property
    def category(self) -> ErrorCategory:
        """Where the cause lies."""
        return _CATEGORIES[self]

    @property
    def retryable(self) -> bool:
        """Whether the same command under a new id may succeed later without being changed."""
        return self in _RETRYABLE


_TITLES = {
    ErrorCode.UNAUTHORIZED: "Not authorized",
    ErrorCode.INVALID_COMMAND: "The command is not valid",
    ErrorCode.SESSION_NOT_FOUND: "No such session",
    ErrorCode.SESSION_NOT_CONNECTED: "The session is not connected to WhatsApp",
    ErrorCode.SESSION_EXISTS: "The session exists already",
    ErrorCode.SESSION_LINKED: "The session is linked to an account already",
    ErrorCode.SESSION_NOT_LINKED: "The session is not linked to an account",
    ErrorCode.UNSUPPORTED: "This session, or this gateway, cannot do that",
    ErrorCode.RECIPIENT_NOT_ON_WHATSAPP: "The recipient is not on WhatsApp",
    ErrorCode.RATE_LIMITED: "Too many commands",
    ErrorCode.REACHOUT_RESTRICTED: "WhatsApp lets the account begin no new chats for now",
    ErrorCode.ACCOUNT_RESTRICTED: "WhatsApp has banned the account",
    ErrorCode.EXPIRED: "The command's deadline has passed",
    ErrorCode.NOT_ATTEMPTED: "It was not tried; it certainly has had no effect",
    ErrorCode.CANCELLED: "It was called off before it was begun",
    ErrorCode.UNCERTAIN: "It is not known whether the command took effect",
    ErrorCode.ENCRYPTION_STALE: "The keys or addresses of the recipient's devices have changed",
    ErrorCode.UPSTREAM_TIMEOUT: "WhatsApp did not answer in time",
    ErrorCode.UPSTREAM_REJECTED: "WhatsApp refused",
    ErrorCode.MEDIA_UNAVAILABLE: "The file cannot be had",
    ErrorCode.MEDIA_TOO_LARGE: "The file is too large",
    ErrorCode.MEDIA_REFUSED: "The file is not accepted",
    ErrorCode.QUOTA_EXCEEDED: "The tenant has as much as it may have",
    ErrorCode.CAPACITY: "No worker has room",
    ErrorCode.INTERNAL: "The gateway failed",
}
_CATEGORIES = {
    ErrorCode.UNAUTHORIZED: ErrorCategory.AUTH,
    ErrorCode.INVALID_COMMAND: ErrorCategory.REQUEST,
    ErrorCode.SESSION_NOT_FOUND: ErrorCategory.SESSION,
    ErrorCode.SESSION_NOT_CONNECTED: ErrorCategory.SESSION,
    ErrorCode.SESSION_EXISTS: ErrorCategory.SESSION,
    ErrorCode.SESSION_LINKED: ErrorCategory.SESSION,
    ErrorCode.SESSION_NOT_LINKED: ErrorCategory.SESSION,
    ErrorCode.UNSUPPORTED: ErrorCategory.REQUEST,
    ErrorCode.RECIPIENT_NOT_ON_WHATSAPP: ErrorCategory.RECIPIENT,
    ErrorCode.RATE_LIMITED: ErrorCategory.RATE,
    ErrorCode.REACHOUT_RESTRICTED: ErrorCategory.ACCOUNT,
    ErrorCode.ACCOUNT_RESTRICTED: ErrorCategory.ACCOUNT,
    ErrorCode.EXPIRED: ErrorCategory.REQUEST,
    ErrorCode.NOT_ATTEMPTED: ErrorCategory.INTERNAL,
    ErrorCode.CANCELLED: ErrorCategory.REQUEST,
    ErrorCode.UNCERTAIN: ErrorCategory.UPSTREAM,
    ErrorCode.ENCRYPTION_STALE: ErrorCategory.UPSTREAM,
    ErrorCode.UPSTREAM_TIMEOUT: ErrorCategory.UPSTREAM,
    ErrorCode.UPSTREAM_REJECTED: ErrorCategory.UPSTREAM,
    ErrorCode.MEDIA_UNAVAILABLE: ErrorCategory.MEDIA,
    ErrorCode.MEDIA_TOO_LARGE: ErrorCategory.MEDIA,
    ErrorCode.MEDIA_REFUSED: ErrorCategory.MEDIA,
    ErrorCode.QUOTA_EXCEEDED: ErrorCategory.RATE,
    ErrorCode.CAPACITY: ErrorCategory.INTERNAL,
    ErrorCode.INTERNAL: ErrorCategory.INTERNAL,
}
_RETRYABLE = frozenset(
    {
        ErrorCode.SESSION_NOT_CONNECTED,
        ErrorCode.RATE_LIMITED,
        ErrorCode.REACHOUT_RESTRICTED,
        ErrorCode.NOT_ATTEMPTED,
        ErrorCode.ENCRYPTION_STALE,
        ErrorCode.UPSTREAM_TIMEOUT,
        ErrorCode.CAPACITY,
        ErrorCode.INTERNAL,
    }
)


class FieldError(WireModel):
    """One fault in a command's body."""

    pointer: str = Field(
        description="JSON Pointer (RFC 6901) into the command.", examples=["/data/to"]
    )
    detail: str = Field(description="What is wrong with the value there.")


class ErrorBody(WireModel):
    """An error in the shape of RFC 9457."""

    code: ErrorCode
    category: ErrorCategory
    title: str = Field(description="The code in words; the same for every occurrence.")
    detail: str | None = Field(None, description="What happened this time, for a person to read.")
    retryable: bool = Field(description="Whether the same command may succeed later.")
    retry_after_ms: Annotated[int, Field(ge=0)] | None = Field(
        None, description="How long to wait before trying again, in milliseconds."
    )
    errors: tuple[FieldError, ...] = Field((), description="The faults in the body, all of them.")

    @classmethod
    def of(
        cls,
        code: ErrorCode,
        detail: str | None = None,
        *,
        retry_after_ms: int | None = None,
        errors: tuple[FieldError, ...] = (),
    ) -> "ErrorBody":
        """Build the body for `code`, with its title and retryability filled in."""
        return cls(
            code=code,
            category=code.category,
            title=code.summary,
            detail=detail,
            retryable=code.retryable,
            retry_after_ms=retry_after_ms,
            errors=errors,
        )
