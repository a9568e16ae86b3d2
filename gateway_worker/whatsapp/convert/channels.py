"""What is changed of a post in a channel.

In chats a change is a message that names another one. In a channel it comes under the id of the
post itself, with the new content or with none, and only the stanza says that it is a change.
"""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

from gateway_worker.whatsapp.convert.chats import CHANNEL_SERVER
from gateway_worker.whatsapp.convert.content import Said

_EDITED: Final = "3"
_DELETED: Final = "8"
_SAYS: Final = ("text", "caption")
_ID_CHARACTERS: Final = 96


def changed(event: Any, content: Said | None) -> Said | None:
    """Return what a message event says, with what a channel has changed told as a change.

    Args:
        event: The library's `Message`.
        content: What it says as a message.
    """
    info = event.Info
    if info.MessageSource.Chat.Server != CHANNEL_SERVER or info.Edit not in (_EDITED, _DELETED):
        return content
    # A `MessageKey` of the library: whoever changes it has posted it, the channel.
    post = SimpleNamespace(ID=info.ID, remoteJID="", participant="", fromMe=True)
    identity = _identity(event)
    if info.Edit == _DELETED:
        return Said(content={"kind": "revoke"}, about=post, identity=identity)
    if content is None:
        return None
    text = next((content.content[name] for name in _SAYS if content.content.get(name)), None)
    if text is None:  # another file, or a poll's end: it is not said which
        told = Said.unsupported(f"channel.edit.{content.content['kind']}")
        return replace(told, identity=identity)
    edit = {"kind": "edit", "text": text, "mentions": content.content.get("mentions", [])}
    return Said(content=edit, about=post, identity=identity, is_partial=content.is_partial)


def _identity(event: Any) -> str:
    """Return an id of the change's own, the same each time: that of the post is taken."""
    info = event.Info
    moment = event.NewsLetterMeta.EditTS or info.Timestamp
    return f"{info.ID[:_ID_CHARACTERS]}-{info.Edit}-{moment}"
