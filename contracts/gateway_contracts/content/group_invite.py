"""An invitation to a group."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import FreeText, GroupId, Jid, Timestamp, WireModel

InviteCode = Annotated[FreeText, Field(min_length=1, max_length=128), PERSONAL]


class GroupInviteToSend(WireModel):
    """An invitation for somebody who cannot be added to a group, with the code for that person."""

    kind: Literal["group_invite"] = "group_invite"
    group: GroupId
    group_name: Annotated[FreeText, Field(min_length=1, max_length=255), PERSONAL]
    code: InviteCode
    expires_at: Timestamp | None = None
    caption: Annotated[FreeText, Field(min_length=1, max_length=1_024), PERSONAL] | None = None


class GroupInviteContent(WireModel):
    """An invitation to a group as it arrived."""

    kind: Literal["group_invite"] = "group_invite"
    group: Jid
    group_name: Annotated[str, PERSONAL] | None = None
    code: Annotated[str, PERSONAL]
    expires_at: Timestamp | None = None
    caption: Annotated[str, PERSONAL] | None = None
