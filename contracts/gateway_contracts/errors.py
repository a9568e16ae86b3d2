"""What can go wrong, as a closed set of codes; each says whether a retry can help."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gateway_contracts.model import WireModel


class ErrorCode(StrEnum):
    """Why a command failed. The set is closed within a major version of the contract."""

    INVALID_COMMAND = "invalid_command"
    SESSION_NOT_FOUND = "session_not_found"
    SESSION_NOT_CONNECTED = "session_not_connected"
    SESSION_EXISTS = "session_exists"
    SESSION_LINKED = "session_linked"
    SESSION_NOT_LINKED = "session_not_linked"
    UNSUPPORTED = "unsupported"
    RECIPIENT_NOT_ON_WHATSAPP = "recipient_not_on_whatsapp"
    RATE_LIMITED = "rate_limited"
    EXPIRED = "expired"
    UNCERTAIN = "uncertain"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_REJECTED = "upstream_rejected"
    MEDIA_UNAVAILABLE = "media_unavailable"
    MEDIA_TOO_LARGE = "media_too_large"
    MEDIA_REFUSED = "media_refused"
    CAPACITY = "capacity"
    INTERNAL = "internal"

    @property
    def summary(self) -> str:
        """A short human sentence for the code; the same for every occurrence."""
        return _TITLES[self]

    @property
    def retryable(self) -> bool:
        """Whether the same command under a new id may succeed later without being changed."""
        return self in _RETRYABLE


_TITLES = {
    ErrorCode.INVALID_COMMAND: "The command is not valid",
    ErrorCode.SESSION_NOT_FOUND: "No such session",
    ErrorCode.SESSION_NOT_CONNECTED: "The session is not connected to WhatsApp",
    ErrorCode.SESSION_EXISTS: "The session exists already",
    ErrorCode.SESSION_LINKED: "The session is linked to an account already",
    ErrorCode.SESSION_NOT_LINKED: "The session is not linked to an account",
    ErrorCode.UNSUPPORTED: "This session, or this gateway, cannot do that",
    ErrorCode.RECIPIENT_NOT_ON_WHATSAPP: "The recipient is not on WhatsApp",
    ErrorCode.RATE_LIMITED: "Too many commands",
    ErrorCode.EXPIRED: "The command's deadline has passed",
    ErrorCode.UNCERTAIN: "It is not known whether the command took effect",
    ErrorCode.UPSTREAM_TIMEOUT: "WhatsApp did not answer in time",
    ErrorCode.UPSTREAM_REJECTED: "WhatsApp refused",
    ErrorCode.MEDIA_UNAVAILABLE: "The file cannot be had",
    ErrorCode.MEDIA_TOO_LARGE: "The file is too large",
    ErrorCode.MEDIA_REFUSED: "The file is not accepted",
    ErrorCode.CAPACITY: "No worker has room",
    ErrorCode.INTERNAL: "The gateway failed",
}
_RETRYABLE = frozenset(
    {
        ErrorCode.SESSION_NOT_CONNECTED,
        ErrorCode.RATE_LIMITED,
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
            title=code.summary,
            detail=detail,
            retryable=code.retryable,
            retry_after_ms=retry_after_ms,
            errors=errors,
        )
