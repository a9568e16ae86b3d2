"""A host's failures as the gateway's errors."""

from typing import Final

from gateway_worker.errors import (
    GatewayError,
    InvalidCommandError,
    NotAttemptedError,
    RateLimitedError,
    ReachoutRestrictedError,
    RecipientNotOnWhatsAppError,
    RetryableError,
    SessionNotConnectedError,
    StaleKeysError,
    UncertainError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
)
from gateway_worker.host_protocol.failures import Failure, FailureKind

_ERRORS: Final[dict[str, type[GatewayError]]] = {
    FailureKind.NOT_BEGUN: NotAttemptedError,
    FailureKind.NOT_CONNECTED: SessionNotConnectedError,
    FailureKind.UNKNOWN_RECIPIENT: RecipientNotOnWhatsAppError,
    FailureKind.INVALID: InvalidCommandError,
    FailureKind.REJECTED: UpstreamRejectedError,
    FailureKind.RATE_LIMITED: RateLimitedError,
    FailureKind.REACHOUT_RESTRICTED: ReachoutRestrictedError,
    FailureKind.STALE: StaleKeysError,
    FailureKind.TIMED_OUT: UpstreamTimeoutError,
    FailureKind.UNCERTAIN: UncertainError,
}


def error_of(failure: Failure) -> GatewayError:
    """Return the error of a call that failed; an unknown kind may have taken effect."""
    kind = _ERRORS.get(failure.kind, UncertainError)
    if not issubclass(kind, RetryableError):
        return kind(failure.detail)
    return kind(
        failure.detail,
        retry_after_seconds=failure.retry_after_seconds,
        attempts=failure.attempts,
    )
