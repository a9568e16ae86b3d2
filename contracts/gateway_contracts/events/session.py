"""Events of a session's life: the codes that link it, and its changes of state."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.envelope import SessionEventData, SessionEventEnvelope
from gateway_contracts.model import Timestamp, WorkerId
from gateway_contracts.people import Account
from gateway_contracts.states import SessionState, StatusReason


class SessionQrData(SessionEventData):
    """A QR code to be scanned. Whoever scans it links the account: treat it as a credential."""

    code: str = Field(description="The text of the QR code.")
    expires_at: Timestamp
    attempt: Annotated[int, Field(ge=1)] = Field(
        description="1 for the first code of this pairing."
    )


class SessionQr(SessionEventEnvelope):
    """A new QR code, replacing the one before."""

    type: Literal["wa.session.qr.v1"] = "wa.session.qr.v1"
    data: SessionQrData


class SessionPairCodeData(SessionEventData):
    """A code to be typed on the phone. A credential, like a QR code."""

    code: str = Field(examples=["ABCD-EFGH"])
    expires_at: Timestamp


class SessionPairCode(SessionEventEnvelope):
    """A pairing code for the phone."""

    type: Literal["wa.session.pair_code.v1"] = "wa.session.pair_code.v1"
    data: SessionPairCodeData


class SessionStatusData(SessionEventData):
    """A transition from one state to another."""

    state: SessionState
    previous: SessionState | None = None
    reason: StatusReason
    detail: str | None = Field(None, description="For people; its wording may change.")
    worker: WorkerId
    account: Account | None = None
    retry_at: Timestamp | None = Field(None, description="When the next attempt is due, if one is.")


class SessionStatus(SessionEventEnvelope):
    """A session changed its state."""

    type: Literal["wa.session.status.v1"] = "wa.session.status.v1"
    data: SessionStatusData


LifecycleEvent = SessionQr | SessionPairCode | SessionStatus
"""Every event of this family."""
