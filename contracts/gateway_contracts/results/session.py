"""What commands of a session return."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import Timestamp, WireModel, WorkerId
from gateway_contracts.people import Account
from gateway_contracts.states import SessionState, StatusReason


class SessionInfo(WireModel):
    """A session as it stands."""

    kind: Literal["session"] = "session"
    state: SessionState
    worker: WorkerId | None = None
    account: Account | None = None
    labels: dict[str, Annotated[str, PERSONAL]] = Field(default_factory=dict)
    created_at: Timestamp | None = None
    reason: StatusReason | None = Field(
        None,
        description="`worker_lost` if the session does not run because its worker is gone and no "
        "other can run it.",
    )


class QrInfo(WireModel):
    """The QR code that can be scanned now."""

    kind: Literal["qr"] = "qr"
    code: str
    expires_at: Timestamp
    png: str | None = Field(None, description="The code as a PNG image, base64.")


SessionResult = SessionInfo | QrInfo
"""Every result of this family."""
