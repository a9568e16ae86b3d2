"""What a message carries, told apart by `kind`. Each module is a kind.

A kind more is a module here and its models in the unions below: the one that is sent, the one that
arrives, or both. What this version knows no kind for arrives as `unsupported`.
"""

from typing import Annotated

from gateway_contracts.content import (
    audio,
    contact,
    document,
    edit,
    forward,
    image,
    location,
    poll,
    poll_vote,
    reaction,
    revoke,
    sticker,
    text,
    unsupported,
    video,
    voice,
)
from gateway_contracts.marks import Part
from gateway_contracts.unions import members, told_apart_by

__all__ = ["ARRIVING_KINDS", "SENDABLE_KINDS", "Content", "ContentToSend"]

_ToSend = (
    text.TextToSend
    | image.ImageToSend
    | video.VideoToSend
    | audio.AudioToSend
    | voice.VoiceToSend
    | document.DocumentToSend
    | sticker.StickerToSend
    | location.LocationToSend
    | contact.ContactToSend
    | poll.PollToSend
    | poll_vote.PollVoteToSend
    | reaction.ReactionToSend
    | edit.EditToSend
    | revoke.RevokeToSend
    | forward.ForwardToSend
)
_Arriving = (
    text.TextContent
    | image.ImageContent
    | video.VideoContent
    | audio.AudioContent
    | voice.VoiceContent
    | document.DocumentContent
    | sticker.StickerContent
    | location.LocationContent
    | contact.ContactContent
    | poll.PollContent
    | poll_vote.PollVoteContent
    | reaction.ReactionContent
    | edit.EditContent
    | revoke.RevokeContent
    | unsupported.UnsupportedContent
)

ContentToSend = Annotated[
    _ToSend,
    told_apart_by("kind", _ToSend),
    Part(module=__name__, name="ContentToSend", description="What to send, told apart by `kind`."),
]
"""The content of `message.send`."""

Content = Annotated[
    _Arriving,
    told_apart_by("kind", _Arriving),
    Part(module=__name__, name="Content", description="What has come, told apart by `kind`."),
]
"""The content of `message.received` and `message.sent`."""

SENDABLE_KINDS = members(ContentToSend, "kind")
"""The model of each kind that can be sent."""

ARRIVING_KINDS = members(Content, "kind")
"""The model of each kind that can arrive."""
