"""Commands v1. Every command is idempotent by `id`; a repeat gets the stored outcome again."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from gateway_contracts.content import ContentToSend, ReplyTarget
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.model import (
    FreeText,
    Labels,
    PhoneNumber,
    QueueName,
    Recipient,
    SequenceNumber,
    Timestamp,
    WireModel,
    WorkerId,
)


class PairByQr(WireModel):
    """Link the account by a QR code that its phone scans (`session.qr` events carry the codes)."""

    method: Literal["qr"] = "qr"


class PairByCode(WireModel):
    """Link the account by an eight-letter code typed on its phone (`session.pair_code`)."""

    method: Literal["code"] = "code"
    phone_number: PhoneNumber


Pairing = Annotated[PairByQr | PairByCode, Field(discriminator="method")]


class SessionCreateData(WireModel):
    """How the new session is linked and named."""

    pairing: Pairing = Field(default_factory=PairByQr)
    device_name: FreeText = Field(
        "Gateway",
        min_length=1,
        max_length=50,
        description="What the phone's list of devices shows.",
    )
    labels: Labels = Field(default_factory=dict)


class SessionCreate(CommandEnvelope):
    """Create a session and start linking it. Fails with `session_exists` if there is one."""

    type: Literal["wa.session.create.v1"] = "wa.session.create.v1"
    data: SessionCreateData = Field(default_factory=SessionCreateData)


class NoData(WireModel):
    """Nothing to say beyond the type."""


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


class SessionReplayData(WireModel):
    """Which events are wanted again, and where: exactly one of `from_sequence` and `since`."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {
                    "required": ["from_sequence"],
                    "properties": {
                        "from_sequence": {"type": "integer"},
                        "since": {"type": "null"},
                    },
                },
                {
                    "required": ["since"],
                    "properties": {
                        "since": {"type": "string"},
                        "from_sequence": {"type": "null"},
                    },
                },
            ]
        }
    )

    queue: QueueName = Field(
        description="The backend's own queue, bound to the exchange of replays under its own name."
    )
    from_sequence: SequenceNumber | None = Field(
        None, description="The first event wanted, by its place in the stream."
    )
    since: Timestamp | None = Field(
        None, description="The first event wanted, by the time at which the gateway stored it."
    )
    until_sequence: SequenceNumber | None = Field(
        None,
        description="The last event wanted; absent, the last that was published when the replay "
        "came to its end.",
    )

    @model_validator(mode="after")
    def _has_one_beginning(self) -> Self:
        if (self.from_sequence is None) == (self.since is None):
            raise ValueError("give exactly one of from_sequence and since")
        return self


class SessionReplay(CommandEnvelope):
    """Publish the session's stored events once more, to one queue of the backend's.

    They are the same bytes under the same ids, in order, with the AMQP header `wa-replayed`.
    """

    type: Literal["wa.session.replay.v1"] = "wa.session.replay.v1"
    data: SessionReplayData


class OnUncertain(StrEnum):
    """What to do with a send whose first attempt may or may not have reached WhatsApp."""

    FAIL = "fail"
    RESEND = "resend"


class MessageSendData(WireModel):
    """A message and whom it goes to."""

    to: Recipient
    content: ContentToSend
    reply_to: ReplyTarget | None = None
    on_uncertain: OnUncertain = Field(
        OnUncertain.FAIL,
        description="`fail` reports `uncertain` and never sends twice; `resend` may send twice.",
    )


class MessageSend(CommandEnvelope):
    """Send one message. Succeeds when WhatsApp's server has taken it."""

    type: Literal["wa.message.send.v1"] = "wa.message.send.v1"
    data: MessageSendData


Command = Annotated[
    SessionCreate
    | SessionRestart
    | SessionStop
    | SessionLogout
    | SessionDelete
    | SessionGetQr
    | SessionGetStatus
    | SessionMigrate
    | SessionReplay
    | MessageSend,
    Field(discriminator="type"),
]
"""Every command of this version, told apart by `type`."""
