"""What a message carries, told apart by `kind`. Each module is a kind.

A kind more is a module here and its models in the unions below: the one that is sent, the one that
arrives, or both. What this version knows no kind for arrives as `unsupported`.
"""

from typing import Annotated

from gateway_contracts.content import (
    album,
    audio,
    buttons,
    contact,
    document,
    edit,
    event,
    event_response,
    forward,
    group_invite,
    image,
    interactive_reply,
    keep,
    list_menu,
    live_location,
    location,
    order,
    pin,
    poll,
    poll_vote,
    product,
    reaction,
    revoke,
    sticker,
    sticker_pack,
    text,
    timer,
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
    | live_location.LiveLocationToSend
    | poll.PollToSend
    | poll_vote.PollVoteToSend
    | reaction.ReactionToSend
    | edit.EditToSend
    | revoke.RevokeToSend
    | pin.PinToSend
    | keep.KeepToSend
    | album.AlbumToSend
    | event.EventToSend
    | group_invite.GroupInviteToSend
    | buttons.ButtonsToSend
    | list_menu.ListMenuToSend
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
    | live_location.LiveLocationContent
    | poll.PollContent
    | poll_vote.PollVoteContent
    | reaction.ReactionContent
    | edit.EditContent
    | revoke.RevokeContent
    | pin.PinContent
    | keep.KeepContent
    | timer.TimerContent
    | album.AlbumContent
    | event.EventContent
    | event_response.EventResponseContent
    | group_invite.GroupInviteContent
    | buttons.ButtonsContent
    | list_menu.ListMenuContent
    | interactive_reply.InteractiveReplyContent
    | sticker_pack.StickerPackContent
    | product.ProductContent
    | order.OrderContent
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
