"""An invitation to a group."""

from datetime import datetime
from typing import Any, Final

from gateway_worker.host_protocol.times import is_time, rfc3339
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short, short_id

_TEXT_CHARACTERS: Final = 4_096


def _compose(content: Content, composing: Composing) -> Any:
    library = composing.library
    invite = library.GroupInviteMessage(
        groupJID=content["group"],
        groupName=content.get("group_name", ""),
        inviteCode=content["code"],
        contextInfo=composing.context,
    )
    if expires_at := content.get("expires_at"):
        invite.inviteExpiration = int(datetime.fromisoformat(expires_at).timestamp())
    if caption := content.get("caption"):
        invite.caption = caption
    return library.Message(groupInviteMessage=invite)


def _convert(value: Any, _people: People) -> Converted:
    texts = {"group_name": value.groupName, "caption": value.caption}
    content: dict[str, Any] = {
        "kind": "group_invite",
        "group": short_id(value.groupJID),
        "code": short(value.inviteCode, _TEXT_CHARACTERS),
        **{key: short(text, _TEXT_CHARACTERS) for key, text in texts.items() if text},
    }
    if is_time(value.inviteExpiration):
        content["expires_at"] = rfc3339(value.inviteExpiration)
    is_cut = any(len(text) > _TEXT_CHARACTERS for text in (*texts.values(), value.inviteCode))
    return Converted(content=content, is_partial=is_cut)


KIND: Final = Kind(
    name="group_invite",
    compose=_compose,
    quote=_compose,
    fields={"groupInviteMessage": _convert},
)
