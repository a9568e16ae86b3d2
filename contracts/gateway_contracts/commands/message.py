"""Commands that send to a chat."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from gateway_contracts.content import ContentToSend
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.model import Recipient, WireModel
from gateway_contracts.references import ReplyTarget


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


MessageCommand = MessageSend
"""Every command of this family."""
