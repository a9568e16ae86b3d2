"""Events of files that came with messages: fetched, or not."""

from typing import Literal

from gateway_contracts.envelope import ChatEventData, SessionEventEnvelope
from gateway_contracts.media import Media
from gateway_contracts.model import Jid, MessageId


class MediaData(ChatEventData):
    """A file, and the message that it belongs to."""

    message_id: MessageId
    chat: Jid
    media: Media


class MediaReady(SessionEventEnvelope):
    """A file that came with a message is in the gateway's bucket."""

    type: Literal["wa.media.ready.v1"] = "wa.media.ready.v1"
    data: MediaData


class MediaFailed(SessionEventEnvelope):
    """A file that came with a message could not be fetched; `error` of its media says why."""

    type: Literal["wa.media.failed.v1"] = "wa.media.failed.v1"
    data: MediaData


MediaEvent = MediaReady | MediaFailed
"""Every event of this family."""
