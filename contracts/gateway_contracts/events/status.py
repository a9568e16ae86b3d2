"""Events of status posts: what contacts and the owner post, and how a post of ours comes along.

What is changed of a post is told as of any message: `message.revoked`, `message.reaction`. Who has
seen one of ours is told by `message.receipt`.
"""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.envelope import SessionEventData, SessionEventEnvelope
from gateway_contracts.events.message import MessageData


class StatusReceived(SessionEventEnvelope):
    """Somebody has posted to their status; `chat` is `status@broadcast`, `sender` who did.

    Only of sessions that do not `ignore` it, as they do unless their backend says otherwise.
    """

    type: Literal["wa.status.received.v1"] = "wa.status.received.v1"
    data: MessageData


class StatusPosted(SessionEventEnvelope):
    """The account's owner has posted from the phone or another linked device.

    Likewise; if another device shows what a command of this session has posted, `correlationid` is
    that command.
    """

    type: Literal["wa.status.posted.v1"] = "wa.status.posted.v1"
    data: MessageData


class StatusProgressData(SessionEventData):
    """How far the preparation is."""

    recipients: Annotated[int, Field(ge=1)] = Field(description="Who are to see it, at present.")
    prepared: Annotated[int, Field(ge=0)] = Field(
        description="Of how many of them the devices have been looked up."
    )


class StatusProgress(SessionEventEnvelope):
    """A `status.post` or `status.delete` with many recipients goes on; `correlationid` is its id.

    It is posted in one piece when all are looked up: until then nobody sees anything of it.
    """

    type: Literal["wa.status.progress.v1"] = "wa.status.progress.v1"
    data: StatusProgressData


StatusArrival = StatusReceived | StatusPosted
"""Those of what came from WhatsApp."""

StatusEvent = StatusArrival | StatusProgress
"""Every event of this family."""
