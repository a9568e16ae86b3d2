"""What was written before a companion was linked, as a phone sends it: inline, or as a file."""

from __future__ import annotations

import base64
import enum
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format

from gateway_worker.sandbox.phones.errors import InvalidContentError
from gateway_worker.sandbox.phones.media.draft import MediaDraft
from gateway_worker.sandbox.phones.media.kinds import HISTORY_FORM, MediaKind
from gateway_worker.sandbox.phones.media.uploads import upload
from gateway_worker.sandbox.phones.wa_e2e import HistorySync

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.service.media.media import Media

_READ: Final = 4
_NOTHING_OLDER: Final = 1
_COMPRESSION: Final = 1
MADE_UNTIL: Final = 1_795_000_000
"""When the last message of a made chat was written, in seconds since the epoch."""


class HistoryType(enum.StrEnum):
    """What of the history it is; the values are the library's names."""

    INITIAL_BOOTSTRAP = "INITIAL_BOOTSTRAP"
    RECENT = "RECENT"
    FULL = "FULL"
    PUSH_NAME = "PUSH_NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastMessage:
    """A message of before.

    Attributes:
        message_id: its id.
        text: what it says, or
        content: the library's `Message` as protojson.
        from_me: whether the account wrote it.
        sent_at: seconds since the epoch.
        writer: of a group's message, its writer's address.
        push_name: the writer's name.
    """

    message_id: str
    text: str = ""
    content: Mapping[str, Any] | None = None
    from_me: bool = False
    sent_at: int
    writer: str = ""
    push_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastChat:
    """A chat of before.

    Attributes:
        address: the other one's or the group's, in text form.
        lid: the other one's other address, if it is told.
        name: what the phone calls it.
        unread: how many of the newest messages of others nobody has read.
        is_whole: whether there is nothing older.
        messages: the newest first.
    """

    address: str
    lid: str = ""
    name: str = ""
    unread: int = 0
    is_whole: bool = False
    messages: Iterable[PastMessage] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPart:
    """A part of the history.

    Attributes:
        kind: what it is.
        progress: how much of its kind is sent with it, in percent.
        chats: what is in it.
        external: whether it is uploaded as a file; what is large has to be.
    """

    kind: HistoryType = HistoryType.RECENT
    progress: int = 100
    chats: Iterable[PastChat] = field(default=())
    external: bool = True


def made_chats(chats: int, messages: int, *, characters: int, first: int) -> Iterator[PastChat]:
    """Yield chats with so many messages each, half of them the account's own, all of them read.

    Args:
        chats: how many.
        messages: of each.
        characters: of each message.
        first: the number of the first chat's other one; the others follow.
    """
    for chat in range(chats):
        yield PastChat(
            address=f"{first + chat}@s.whatsapp.net",
            name=f"Contact {chat}",
            is_whole=True,
            messages=_made_messages(chat, messages, characters=characters),
        )


def _made_messages(chat: int, count: int, *, characters: int) -> Iterator[PastMessage]:
    for number in range(count):
        yield PastMessage(
            message_id=f"PAST{chat:05}N{number:07}",
            text=f"message {number} ".ljust(characters, "x"),
            from_me=number % 2 == 1,
            sent_at=MADE_UNTIL - 60 * number,
        )


def packed(part: HistoryPart, *, own: str) -> bytes:
    """Return a part as it is sent, compressed.

    Args:
        part: what it has.
        own: the account's address.

    Raises:
        InvalidContentError: a message in it is no content.
    """
    sync = HistorySync(
        syncType=HistorySync.HistorySyncType.Value(part.kind.value), progress=part.progress
    )
    for chat in part.chats:
        conversation = sync.conversations.add(
            ID=chat.address, name=chat.name, unreadCount=chat.unread
        )
        if chat.lid:
            conversation.lidJID = chat.lid
        if chat.is_whole:
            conversation.endOfHistoryTransferType = _NOTHING_OLDER
        for place, message in enumerate(chat.messages):
            entry = conversation.messages.add(msgOrderID=place)
            _fill(entry.message, message, chat, own)
    return zlib.compress(sync.SerializeToString(), _COMPRESSION)


def _fill(info: Any, message: PastMessage, chat: PastChat, own: str) -> None:
    info.key.ID, info.key.remoteJID = message.message_id, chat.address
    info.key.fromMe = message.from_me
    info.messageTimestamp = message.sent_at
    if message.from_me:
        info.status = _READ
    writer = own if message.from_me else message.writer
    if message.writer and writer:
        info.participant = info.key.participant = writer
    if message.push_name:
        info.pushName = message.push_name
    if message.content is None:
        info.message.conversation = message.text
        return
    try:
        json_format.ParseDict(dict(message.content), info.message)
    except json_format.ParseError as error:
        raise InvalidContentError(str(error)) from None


async def notification(
    part: HistoryPart, data: bytes, *, media: Media, device: DeviceRecord
) -> dict[str, Any]:
    """Return the message that tells companions of a part, as protojson.

    Args:
        part: which.
        data: what it is, packed; uploaded if it does not go with the message.
        media: where files are uploaded.
        device: who uploads.

    Raises:
        MediaUnavailableError: a rule refuses the upload.
    """
    told: dict[str, Any] = {"syncType": part.kind.value, "progress": part.progress}
    if part.external:
        draft = MediaDraft(kind=MediaKind.DOCUMENT, data=data)
        uploaded = await upload(draft, media=media, device=device, form=HISTORY_FORM)
        told |= {
            "directPath": uploaded.direct_path,
            "mediaKey": _text(uploaded.media_key),
            "fileSHA256": _text(uploaded.hashes.sha256),
            "fileEncSHA256": _text(uploaded.hashes.enc_sha256),
            "fileLength": str(uploaded.hashes.size),
        }
    else:
        told["initialHistBootstrapInlinePayload"] = _text(data)
    protocol = {"type": "HISTORY_SYNC_NOTIFICATION", "historySyncNotification": told}
    return {"protocolMessage": protocol}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
