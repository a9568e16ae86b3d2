"""Events v1. Published at least once; dedupe by `id`; `sequence` orders one session's events."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.content import Content, Quoted
from gateway_contracts.envelope import SessionEventEnvelope, WorkerEventEnvelope
from gateway_contracts.errors import ErrorBody
from gateway_contracts.model import (
    Jid,
    MessageId,
    SequenceNumber,
    Timestamp,
    WireModel,
    WorkerId,
)


class SessionState(StrEnum):
    """Where a session stands."""

    CREATED = "created"
    PAIRING = "pairing"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    STOPPED = "stopped"
    LOGGED_OUT = "logged_out"
    BANNED = "banned"
    FAILED = "failed"


class StatusReason(StrEnum):
    """Why a session changed its state; for programs, the text beside it is for people."""

    REQUESTED = "requested"
    PAIRED = "paired"
    QR_TIMEOUT = "qr_timeout"
    PAIRING_FAILED = "pairing_failed"
    LOGIN_SUCCEEDED = "login_succeeded"
    CONNECTION_LOST = "connection_lost"
    HOST_EXITED = "host_exited"
    WORKER_RESTARTED = "worker_restarted"
    WORKER_DRAINING = "worker_draining"
    LOGGED_OUT_FROM_PHONE = "logged_out_from_phone"
    LOGGED_OUT_BY_COMMAND = "logged_out_by_command"
    STREAM_REPLACED = "stream_replaced"
    TEMPORARY_BAN = "temporary_ban"
    ACCOUNT_BANNED = "account_banned"
    CLIENT_OUTDATED = "client_outdated"
    CONNECT_REFUSED = "connect_refused"
    KEEPALIVE_TIMEOUT = "keepalive_timeout"
    PROXY_UNREACHABLE = "proxy_unreachable"
    STORE_LOST = "store_lost"
    DELETED = "deleted"
    HANDED_OVER = "handed_over"
    TAKEN_OVER = "taken_over"
    LEASE_LOST = "lease_lost"
    LIBRARY_STOPPED = "library_stopped"
    WORKER_LOST = "worker_lost"
    """Its worker is gone, and no other can run it: its device store is where that worker was."""


class Account(WireModel):
    """The WhatsApp account that a session is linked to."""

    jid: Jid
    lid: Jid | None = None
    phone_number: str | None = None
    push_name: str | None = None


class SessionQrData(WireModel):
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


class SessionPairCodeData(WireModel):
    """A code to be typed on the phone. A credential, like a QR code."""

    code: str = Field(examples=["ABCD-EFGH"])
    expires_at: Timestamp


class SessionPairCode(SessionEventEnvelope):
    """A pairing code for the phone."""

    type: Literal["wa.session.pair_code.v1"] = "wa.session.pair_code.v1"
    data: SessionPairCodeData


class SessionStatusData(WireModel):
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


class Participant(WireModel):
    """Somebody on WhatsApp, under the ids that are known."""

    jid: Jid
    lid: Jid | None = None
    phone_number: str | None = None
    push_name: str | None = None


class MessageData(WireModel):
    """A message as it stands in a chat."""

    message_id: MessageId
    chat: Jid = Field(description="The conversation: the other person's or the group's id.")
    sender: Participant
    is_group: bool = False
    timestamp: Timestamp = Field(description="WhatsApp's time of the message.")
    content: Content
    reply_to: Quoted | None = None
    offline: bool = Field(
        default=False, description="It had waited at WhatsApp while the session was away."
    )
    partial: bool = Field(
        default=False,
        description="Something that WhatsApp sent does not fit this contract. What is known is "
        "told: for a time that is none stands the time of its arrival here, for an id that is "
        "none one that begins with `invalid-` and is the same each time, a text that is too long "
        "is cut, and what cannot be read at all is `unsupported`.",
    )


class MessageReceived(SessionEventEnvelope):
    """Somebody wrote to the account."""

    type: Literal["wa.message.received.v1"] = "wa.message.received.v1"
    data: MessageData


class MessageSent(SessionEventEnvelope):
    """The account's owner wrote from the phone or another linked device."""

    type: Literal["wa.message.sent.v1"] = "wa.message.sent.v1"
    data: MessageData


class ReceiptStatus(StrEnum):
    """How far a message of ours got. `command.succeeded` is the `sent` of a message.send."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"


class MessageReceiptData(WireModel):
    """News of one message of ours."""

    message_id: MessageId
    chat: Jid
    status: ReceiptStatus
    participant: Participant = Field(description="Whose device or reading this is.")
    timestamp: Timestamp
    partial: bool = Field(
        default=False, description="As in `message.received`: something of it did not fit."
    )


class MessageReceipt(SessionEventEnvelope):
    """A message of ours was delivered, read or played.

    `correlationid` is the command that sent it.
    """

    type: Literal["wa.message.receipt.v1"] = "wa.message.receipt.v1"
    data: MessageReceiptData


class UndecryptableReason(StrEnum):
    """Why a message cannot be read."""

    OLD_COUNTER = "old_counter"
    UNDECRYPTABLE = "undecryptable"
    UNREADABLE = "unreadable"


class MessageUndecryptableData(WireModel):
    """Which message it was, as far as that is known."""

    message_id: MessageId
    chat: Jid | None = None
    sender: Jid | None = None
    reason: UndecryptableReason = Field(
        description="`old_counter`: its key was used before, so it is a repeat of a message that "
        "was read, or one that was lost after its key was used. `undecryptable`: this device has "
        "no key for it; the sender's device may send it again. `unreadable`: it was decrypted, "
        "and the gateway could make nothing of it, not even who wrote; it is kept aside."
    )
    timestamp: Timestamp | None = Field(None, description="WhatsApp's time, if it is known.")


class MessageUndecryptable(SessionEventEnvelope):
    """Somebody wrote to the account and the message could not be read.

    It may still come as `message.received` later, when its sender's device has sent it again.
    """

    type: Literal["wa.message.undecryptable.v1"] = "wa.message.undecryptable.v1"
    data: MessageUndecryptableData


class SessionInfo(WireModel):
    """A session as it stands."""

    kind: Literal["session"] = "session"
    state: SessionState
    worker: WorkerId | None = None
    account: Account | None = None
    labels: dict[str, str] = Field(default_factory=dict)
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


class SentInfo(WireModel):
    """WhatsApp's server took the message, for at least one device of the recipient."""

    kind: Literal["message"] = "message"
    message_id: MessageId
    chat: Jid = Field(
        description="The conversation under WhatsApp's own id for it: where a number is written in "
        "two ways, it may differ from `to`."
    )
    timestamp: Timestamp
    devices_left_out: Annotated[int, Field(ge=0)] = Field(
        0,
        description="How many devices of the recipients the message could not be encrypted for; "
        "they do not show it, in a group not before they have asked for its key.",
    )


class ReplayInfo(WireModel):
    """What a replay has published again."""

    kind: Literal["replay"] = "replay"
    events: Annotated[int, Field(ge=0)] = Field(description="How many events were published.")
    first_sequence: SequenceNumber | None = Field(None, description="The first of them.")
    last_sequence: SequenceNumber | None = Field(None, description="The last of them.")
    complete: bool = Field(
        description="False if the oldest events that were wanted are no longer stored."
    )


class Done(WireModel):
    """It is done; there is nothing more to tell."""

    kind: Literal["done"] = "done"


Result = Annotated[SessionInfo | QrInfo | SentInfo | ReplayInfo | Done, Field(discriminator="kind")]
"""What a command returns, told apart by `kind`."""


class WarningCode(StrEnum):
    """What is wrong with a command that was executed all the same."""

    MISROUTED = "misrouted"
    """It was not published to the commands' exchange with its session id as the routing key."""


class CommandWarning(WireModel):
    """Something that the sender of a command should mend."""

    code: WarningCode
    detail: str = Field(description="For people; its wording may change.")


Warnings = Annotated[
    tuple[CommandWarning, ...],
    Field(description="What was wrong with the command, though it did not hinder its execution."),
]


class CommandSucceededData(WireModel):
    """A command's good end."""

    command_type: str
    result: Result
    repeated: bool = Field(
        default=False, description="The command came again; this is its stored outcome."
    )
    warnings: Warnings = ()


class CommandSucceeded(SessionEventEnvelope):
    """A command took effect; `correlationid` is its id."""

    type: Literal["wa.command.succeeded.v1"] = "wa.command.succeeded.v1"
    data: CommandSucceededData


class CommandFailedData(WireModel):
    """A command's bad end."""

    command_type: str | None = None
    error: ErrorBody
    attempts: Annotated[int, Field(ge=0)] = 1
    repeated: bool = Field(
        default=False, description="The command came again; this is its stored outcome."
    )
    id_conflict: bool = Field(
        default=False,
        description="Another command has this id: this is no outcome of that one, which keeps its "
        "own, but says that a second command under its id was not accepted.",
    )
    warnings: Warnings = ()


NO_SESSION = "_invalid"
"""The subject of the failure of a body that names no session; no session can have this name."""


class CommandFailed(SessionEventEnvelope):
    """A command did not take effect; `correlationid` is its id."""

    type: Literal["wa.command.failed.v1"] = "wa.command.failed.v1"
    subject: Annotated[
        str,
        Field(
            pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]{0,63}|_invalid)$",
            description="The session; `_invalid` if the command names none, or none that can be.",
            examples=["acme-support"],
        ),
    ]
    data: CommandFailedData


class WorkerLoad(WireModel):
    """What a worker carries and uses."""

    worker: WorkerId
    version: str
    capacity: Annotated[int, Field(ge=0)] = Field(description="Sessions it may hold at most.")
    sessions: dict[SessionState, int] = Field(description="Sessions it holds, by state.")
    cpu_percent: float = Field(description="Of one core, worker and hosts together.")
    memory_bytes: int = Field(description="Worker, zygote and hosts together (PSS where known).")
    queue_depth: int | None = Field(None, description="Commands waiting in its queue.")
    outbox_depth: int = 0
    commands_per_second: float = 0.0
    events_per_second: float = 0.0
    uptime_seconds: float = 0.0


class WorkerStarted(WorkerEventEnvelope):
    """A worker is ready for commands."""

    type: Literal["wa.worker.started.v1"] = "wa.worker.started.v1"
    data: WorkerLoad


class WorkerHeartbeat(WorkerEventEnvelope):
    """A worker is alive. Sent to `wa.heartbeats`, expires soon, never stored."""

    type: Literal["wa.worker.heartbeat.v1"] = "wa.worker.heartbeat.v1"
    data: WorkerLoad


class WorkerCapacityData(WireModel):
    """How many commands wait for a worker with room, and how much room there is."""

    worker: WorkerId
    waiting: Annotated[int, Field(ge=0)] = Field(
        description="Commands that wait for a worker with room."
    )
    room: Annotated[int, Field(ge=0)] = Field(
        description="Sessions that the live workers together can still take."
    )


class WorkerCapacity(WorkerEventEnvelope):
    """A full worker sees commands wait that no worker has room for, or no longer.

    Said once when they begin to wait and once, with `waiting` 0 or `room` above 0, when that is
    over; each full worker says it for itself.
    """

    type: Literal["wa.worker.capacity.v1"] = "wa.worker.capacity.v1"
    data: WorkerCapacityData


class WorkerDraining(WorkerEventEnvelope):
    """A worker takes no more commands and hands its sessions over."""

    type: Literal["wa.worker.draining.v1"] = "wa.worker.draining.v1"
    data: WorkerLoad


class WorkerStopped(WorkerEventEnvelope):
    """A worker has left in good order."""

    type: Literal["wa.worker.stopped.v1"] = "wa.worker.stopped.v1"
    data: WorkerLoad


SessionEvent = Annotated[
    SessionQr
    | SessionPairCode
    | SessionStatus
    | MessageReceived
    | MessageSent
    | MessageReceipt
    | MessageUndecryptable
    | CommandSucceeded
    | CommandFailed,
    Field(discriminator="type"),
]
"""Every event of a session, told apart by `type`."""

Event = Annotated[
    SessionQr
    | SessionPairCode
    | SessionStatus
    | MessageReceived
    | MessageSent
    | MessageReceipt
    | MessageUndecryptable
    | CommandSucceeded
    | CommandFailed
    | WorkerStarted
    | WorkerHeartbeat
    | WorkerCapacity
    | WorkerDraining
    | WorkerStopped,
    Field(discriminator="type"),
]
"""Every event of this version, told apart by `type`."""
