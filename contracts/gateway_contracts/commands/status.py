"""Commands that post to the account's status, and what they return.

Who sees a post is what the account's phone is set to: all of its contacts, all but some, or some.
The library takes no other list.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.commands.message import OnUncertain
from gateway_contracts.commands.session import NoData
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.model import ClientRef, Jid, MessageId, Timestamp, WireModel
from gateway_contracts.status import StatusContent


class _StatusSendData(WireModel):
    """What both commands have."""

    client_ref: ClientRef | None = Field(
        None, description="Comes back in the command's outcome and in the receipts of its viewers."
    )
    on_uncertain: OnUncertain = Field(
        OnUncertain.FAIL,
        description="`fail` reports `uncertain` and never posts twice; `resend` may post twice.",
    )


class StatusPostData(_StatusSendData):
    """What to post."""

    content: StatusContent
    scheduled_at: Timestamp | None = Field(
        None,
        description="When it is to be posted, at most 90 days ahead. `command.scheduled` says at "
        "once that the gateway has it; the outcome follows when it was posted. A time that has "
        "passed is now.",
    )


class StatusPost(CommandEnvelope):
    """Post to the account's status, where it stays for a day.

    Before it is posted the devices of all who are to see it are looked up, some at a time:
    `status.progress` tells how far that is, if there are many. It fails with `unsupported` if
    nobody would see it.
    """

    type: Literal["wa.status.post.v1"] = "wa.status.post.v1"
    data: StatusPostData


class StatusDeleteData(_StatusSendData):
    """Which post."""

    message_id: MessageId = Field(
        description="`message_id` of the outcome of its `status.post`, or of its `status.posted`."
    )


class StatusDelete(CommandEnvelope):
    """Delete a post of the account's own for everyone who may see the status now."""

    type: Literal["wa.status.delete.v1"] = "wa.status.delete.v1"
    data: StatusDeleteData


class StatusAudience(StrEnum):
    """Who sees the account's status, as its phone is set."""

    CONTACTS = "contacts"
    """All whom its phone knows by name."""
    CONTACTS_EXCEPT = "contacts_except"
    """All of them but those whom the owner has left out."""
    SELECTED = "selected"
    """Those whom the owner has chosen."""


class StatusGetAudience(CommandEnvelope):
    """Return who would see a status post now; nothing is posted."""

    type: Literal["wa.status.audience.v1"] = "wa.status.audience.v1"
    data: NoData = Field(default_factory=NoData)


class StatusViewers(WireModel):
    """Who would see a post."""

    kind: Literal["status_viewers"] = "status_viewers"
    audience: StatusAudience
    recipients: Annotated[int, Field(ge=0)] = Field(
        description="How many people that are now, the account itself not counted. Of none, a post "
        "is `unsupported`."
    )


class StatusInfo(WireModel):
    """WhatsApp's server took the post, or the deletion of one."""

    kind: Literal["status"] = "status"
    message_id: MessageId
    chat: Jid = Field(description="Under which receipts tell of it: `status@broadcast`.")
    timestamp: Timestamp
    audience: StatusAudience | None = Field(
        None, description="Absent if an earlier run of the command has posted it."
    )
    recipients: Annotated[int, Field(ge=0)] | None = Field(
        None, description="How many people it was sent to, the account itself not counted."
    )
    devices_left_out: Annotated[int, Field(ge=0)] = Field(
        0,
        description="How many of their devices it could not be encrypted for, and how many people "
        "have no device that WhatsApp names. If that is everybody, the command fails.",
    )


StatusCommand = StatusPost | StatusDelete | StatusGetAudience
"""Every command of this family."""

StatusResult = StatusInfo | StatusViewers
"""What they return."""
