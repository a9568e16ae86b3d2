"""How commands end: each with exactly one of two events, and what comes of an uncertain end."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.commands import Result
from gateway_contracts.envelope import SessionEventData, SessionEventEnvelope
from gateway_contracts.errors import ErrorBody
from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import (
    SESSION_NAME,
    CommandId,
    Jid,
    MessageId,
    Timestamp,
    WireModel,
)
from gateway_contracts.tenants import TENANT_NAME


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


EchoedRef = Annotated[
    str | None,
    PERSONAL,
    Field(description="`client_ref` of the command, if it is a send and had one."),
]


BulkId = Annotated[
    CommandId | None, Field(description="Of a row of a bulk: the `bulk.create` that it came with.")
]

BulkRowNumber = Annotated[
    int | None, Field(ge=1, description="Of a row of a bulk: which, counted from 1.")
]


class CommandSucceededData(SessionEventData):
    """A command's good end."""

    command_type: str
    result: Result
    client_ref: EchoedRef = None
    chat_id: Jid | None = Field(None, description="Of a send: as in `message.received`.")
    repeated: bool = Field(
        default=False,
        description="The command came again; this is its stored outcome, or a new answer if it "
        "only reads what is stored.",
    )
    wait_ms: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description="Of a message: for how long the session's pacing has held it back, in "
        "milliseconds. Absent if it has none, and in a repeat.",
    )
    bulk_id: BulkId = None
    row: BulkRowNumber = None
    warnings: Warnings = ()


class CommandSucceeded(SessionEventEnvelope):
    """A command took effect; `correlationid` is its id."""

    type: Literal["wa.command.succeeded.v1"] = "wa.command.succeeded.v1"
    subject: Annotated[
        str,
        Field(
            pattern=rf"^({SESSION_NAME}|({TENANT_NAME}\.)?_fleet)$",
            description="The session; `_fleet` if the command concerned no single one, in a fleet "
            "with tenants behind the tenant and a dot.",
            examples=["acme-support"],
        ),
    ]
    data: CommandSucceededData


class CommandFailedData(SessionEventData):
    """A command's bad end."""

    command_type: str | None = None
    error: ErrorBody
    attempts: Annotated[int, Field(ge=0)] = 1
    client_ref: EchoedRef = None
    message_id: MessageId | None = Field(
        None,
        description="Of a send that is `uncertain`: the id that its message has if it was sent, as "
        "far as that is known.",
    )
    chat: Jid | None = Field(None, description="The conversation of `message_id`.")
    repeated: bool = Field(
        default=False, description="The command came again; this is its stored outcome."
    )
    id_conflict: bool = Field(
        default=False,
        description="Another command has this id: this is no outcome of that one, which keeps its "
        "own, but says that a second command under its id was not accepted.",
    )
    bulk_id: BulkId = None
    row: BulkRowNumber = None
    warnings: Warnings = ()


NO_SESSION = "_invalid"
"""The subject of the failure of a body that names no session; no session can have this name."""


class CommandFailed(SessionEventEnvelope):
    """A command did not take effect; `correlationid` is its id."""

    type: Literal["wa.command.failed.v1"] = "wa.command.failed.v1"
    subject: Annotated[
        str,
        Field(
            pattern=rf"^({SESSION_NAME}|({TENANT_NAME}\.)?(_invalid|_fleet))$",
            description="The session; `_invalid` if the command names none, or none that can be or "
            "that its sender may command, `_fleet` if it concerned no single one; both, in a fleet "
            "with tenants, behind the tenant and a dot.",
            examples=["acme-support"],
        ),
    ]
    data: CommandFailedData


class CommandScheduledData(SessionEventData):
    """What the gateway has taken on, to do it later."""

    command_type: str
    scheduled_at: Timestamp
    client_ref: EchoedRef = None
    repeated: bool = Field(
        default=False, description="The command came again; it was taken on before."
    )


class CommandScheduled(SessionEventEnvelope):
    """A command is stored until its time has come; `correlationid` is its id.

    It is no outcome: `command.succeeded` or `command.failed` follows when it was executed, or when
    `schedule.cancel` has called it off.
    """

    type: Literal["wa.command.scheduled.v1"] = "wa.command.scheduled.v1"
    data: CommandScheduledData


class Evidence(StrEnum):
    """What has shown that a message was sent."""

    RECEIPT = "receipt"
    """A recipient has confirmed it."""
    OWN_DEVICE = "own_device"
    """It is in the account's own chats."""
    ACKNOWLEDGEMENT = "acknowledgement"
    """WhatsApp had answered, as the disk of a worker says that is back."""


class CommandResolvedData(SessionEventData):
    """What an uncertain command has done."""

    command_type: str
    result: Result = Field(
        description="As of `command.succeeded`; the `timestamp` of a message is the gateway's, and "
        "how many devices were left out is not known."
    )
    evidence: Evidence
    client_ref: EchoedRef = None


class CommandResolved(SessionEventEnvelope):
    """A command that had ended as `uncertain` did take effect; `correlationid` is its id.

    A repeat of the command is answered by `command.succeeded` from now on.
    """

    type: Literal["wa.command.resolved.v1"] = "wa.command.resolved.v1"
    data: CommandResolvedData


CommandOutcome = CommandSucceeded | CommandFailed | CommandScheduled | CommandResolved
"""Every event of this family."""
