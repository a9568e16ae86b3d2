"""A message of any chat, once more."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gateway_contracts.model import Jid, MessageId, WireModel, whole


class ForwardedMessage(WireModel):
    """The message that is forwarded: one in the session's history."""

    chat: Jid = Field(description="The chat that it is in, as its event or outcome names it.")
    message_id: MessageId
    participant: Jid | None = Field(
        None, description="Who wrote it; needed if two members of a group have used the id."
    )


class ForwardToSend(WireModel):
    """Send what a message says now to somebody else, shown as forwarded.

    It becomes a message of the kind that it forwards, and is that in the history.
    """

    kind: Literal["forward"] = "forward"
    message: ForwardedMessage
    score: Annotated[int, Field(ge=1, le=10_000_000), BeforeValidator(whole)] = Field(
        1,
        description="How often it was passed on, this time included: one more than "
        "`forwarded.score` of the message's event. WhatsApp is told 127 at most, which its apps "
        "write for what was passed on many times.",
    )
