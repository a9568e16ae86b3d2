"""Channels as the library describes them, as the worker has them."""

from typing import Any, Final

from gateway_worker.host_protocol.methods.channels import Channel
from gateway_worker.whatsapp.convert.people import address
from gateway_worker.whatsapp.convert.texts import short

_STATES: Final = {1: "active", 2: "suspended", 3: "geosuspended"}
_ROLES: Final = {1: "subscriber", 2: "guest", 3: "admin", 4: "owner"}
_MUTED: Final = {1: True, 2: False}
_VERIFIED: Final = 1
_NAME_CHARACTERS: Final = 128
_DESCRIPTION_CHARACTERS: Final = 2_048


def channel_of(metadata: Any) -> Channel:
    """Return a channel.

    Args:
        metadata: The library's `NewsletterMetadata`.
    """
    thread, viewer = metadata.ThreadMeta, metadata.ViewerMeta
    is_viewer = metadata.HasField("ViewerMeta")
    return Channel(
        channel=address(metadata.ID),
        name=short(thread.Name.Text, _NAME_CHARACTERS),
        description=short(thread.Description.Text, _DESCRIPTION_CHARACTERS),
        invite=short(thread.InviteCode) or None,
        subscribers=max(0, thread.SubscriberCount),
        verified=thread.VerificationState == _VERIFIED,
        state=_STATES.get(metadata.State.Type),
        role=_ROLES.get(viewer.Role) if is_viewer else None,
        muted=_MUTED.get(viewer.Mute) if is_viewer else None,
        created=thread.CreationTime,
    )
