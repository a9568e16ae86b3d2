"""A host's failures as the gateway's errors."""

import pytest

from gateway_worker.errors import (
    GatewayError,
    InvalidCommandError,
    NotAttemptedError,
    ReachoutRestrictedError,
    RecipientNotOnWhatsAppError,
    SessionNotConnectedError,
    StaleKeysError,
    UncertainError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
)
from gateway_worker.host_protocol.failures import Failure, FailureKind
from gateway_worker.whatsapp.errors import error_of


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FailureKind.NOT_BEGUN, NotAttemptedError),
        (FailureKind.NOT_CONNECTED, SessionNotConnectedError),
        (FailureKind.UNKNOWN_RECIPIENT, RecipientNotOnWhatsAppError),
        (FailureKind.INVALID, InvalidCommandError),
        (FailureKind.REJECTED, UpstreamRejectedError),
        (FailureKind.REACHOUT_RESTRICTED, ReachoutRestrictedError),
        (FailureKind.STALE, StaleKeysError),
        (FailureKind.TIMED_OUT, UpstreamTimeoutError),
        (FailureKind.UNCERTAIN, UncertainError),
        ("of a later release", UncertainError),
    ],
)
def test_errors(kind: str, error: type[GatewayError]) -> None:
    """Each kind has its error; one that is not known counts as uncertain."""
    found = error_of(Failure(kind=kind, detail="so"))

    assert type(found) is error
    assert found.detail == "so"
