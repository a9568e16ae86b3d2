"""Commands that make, link, stop, move and end a session, look-ups of how it stands, results."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.commands.done import Done
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import (
    FreeText,
    Labels,
    Metadata,
    PhoneNumber,
    Timestamp,
    WireModel,
    WorkerId,
)
from gateway_contracts.people import Account
from gateway_contracts.settings import SessionSettings
from gateway_contracts.states import SessionState, StatusReason


class PairByQr(WireModel):
    """Link the account by a QR code that its phone scans (`session.qr` events carry the codes)."""

    method: Literal["qr"] = "qr"


class PairByCode(WireModel):
    """Link the account by an eight-letter code typed on its phone (`session.pair_code`)."""

    method: Literal["code"] = "code"
    phone_number: PhoneNumber


Pairing = Annotated[PairByQr | PairByCode, Field(discriminator="method")]


class SessionCreateData(SessionSettings):
    """How the new session is linked and named, and what it is set to."""

    pairing: Pairing = Field(default_factory=PairByQr)
    device_name: FreeText = Field(
        "Gateway",
        min_length=1,
        max_length=50,
        description="What the phone's list of devices shows.",
    )
    labels: Labels = Field(default_factory=dict)
    metadata: Metadata = Field(
        default_factory=dict,
        description="Comes back as `session_metadata` in the data of each of the session's events.",
    )


class SessionCreate(CommandEnvelope):
    """Create a session and start linking it. Fails with `session_exists` if there is one."""

    type: Literal["wa.session.create.v1"] = "wa.session.create.v1"
    data: SessionCreateData = Field(default_factory=SessionCreateData)


class NoData(WireModel):
    """Nothing to say beyond the type."""


class SessionUpdateData(SessionSettings):
    """What is to change of a session: what is given replaces what there was, the rest stays."""

    labels: Labels | None = None
    metadata: Metadata | None = Field(
        None, description="Carried by the events from the outcome of this command on."
    )


class SessionUpdate(CommandEnvelope):
    """Change what a session is set to, and its notes. Returns the session as it is then.

    It takes effect at once, without a new link, and lasts; also of a session that is stopped.
    """

    type: Literal["wa.session.update.v1"] = "wa.session.update.v1"
    data: SessionUpdateData


class SessionRestart(CommandEnvelope):
    """Stop the session's process if it runs and start it again.

    A session not yet linked gets new QR codes.
    """

    type: Literal["wa.session.restart.v1"] = "wa.session.restart.v1"
    data: NoData = Field(default_factory=NoData)


class SessionStop(CommandEnvelope):
    """Disconnect and stay stopped, over restarts of the worker too, until `session.restart`."""

    type: Literal["wa.session.stop.v1"] = "wa.session.stop.v1"
    data: NoData = Field(default_factory=NoData)


class SessionLogout(CommandEnvelope):
    """Unlink the device from the account. A later `session.restart` begins a new pairing."""

    type: Literal["wa.session.logout.v1"] = "wa.session.logout.v1"
    data: NoData = Field(default_factory=NoData)


class SessionDelete(CommandEnvelope):
    """Unlink if linked, and remove every trace: rows, routing, snapshots, files.

    All that is kept is how far the session had counted its events: one that is created under the
    same name later goes on from there.
    """

    type: Literal["wa.session.delete.v1"] = "wa.session.delete.v1"
    data: NoData = Field(default_factory=NoData)


class SessionGetQrData(WireModel):
    """How the QR code is wanted."""

    png: bool = Field(default=False, description="Also return the code drawn as a PNG, base64.")


class SessionGetQr(CommandEnvelope):
    """Return the QR code that can be scanned now."""

    type: Literal["wa.session.get_qr.v1"] = "wa.session.get_qr.v1"
    data: SessionGetQrData = Field(default_factory=SessionGetQrData)


class SessionGetStatus(CommandEnvelope):
    """Return the session's state and account."""

    type: Literal["wa.session.get_status.v1"] = "wa.session.get_status.v1"
    data: NoData = Field(default_factory=NoData)


class SessionMigrateData(WireModel):
    """Where the session is to go."""

    to: WorkerId | None = Field(
        None,
        description="The worker that is to have it; absent, the gateway chooses one with room.",
    )


class SessionMigrate(CommandEnvelope):
    """Hand the session over to another worker, with its device: no new QR code is needed.

    Commands and messages that come meanwhile are not lost and keep their order. The result tells
    the new worker. A session that is there already stays there, which is a success.
    """

    type: Literal["wa.session.migrate.v1"] = "wa.session.migrate.v1"
    data: SessionMigrateData = Field(default_factory=SessionMigrateData)


class SessionInfo(SessionSettings):
    """A session as it stands, and what it is set to."""

    kind: Literal["session"] = "session"
    state: SessionState
    worker: WorkerId | None = None
    account: Account | None = None
    labels: dict[str, Annotated[str, PERSONAL]] = Field(default_factory=dict)
    metadata: dict[str, Annotated[str, PERSONAL]] = Field(default_factory=dict)
    created_at: Timestamp | None = None
    heard_at: Timestamp | None = Field(
        None,
        description="When WhatsApp had last sent anything over the connection, as of the last look "
        "at it; looks are some seconds apart.",
    )
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


SessionCommand = (
    SessionCreate
    | SessionUpdate
    | SessionRestart
    | SessionStop
    | SessionLogout
    | SessionDelete
    | SessionGetQr
    | SessionGetStatus
    | SessionMigrate
)
"""Every command of this family."""

SessionResult = SessionInfo | QrInfo | Done
"""What they return."""
