"""Histories as the library tells them: made of chats with so many messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway_contracts import HistoryMessagesData
from gateway_worker.host_protocol.envelope import HistoryPage
from tests.unit.whatsapp.library_messages import events, load

NEWEST = 1_795_502_481
"""When the newest message of each chat was written."""
_sync = load("waHistorySync.WAWebProtobufsHistorySync_pb2")
WebMessageInfo: Any = load("waWeb.WAWebProtobufsWeb_pb2").WebMessageInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A chat; every third message of it is the account's own; the two newest are not."""

    jid: str
    messages: int
    unread: int = 0
    is_whole: bool = False
    name: str = ""
    lid: str = ""
    phone: str = ""


def history(chats: Sequence[Chat], *, sync_type: int = 3, progress: int = 100) -> bytes:
    """Return the library's event of a history (3: recent)."""
    return bytes(events.HistorySync(Data=_filled(chats, sync_type, progress)).SerializeToString())


def pages(frames: Sequence[object]) -> list[HistoryMessagesData]:
    """Return what pages say; they have to fit the contract."""
    return [
        HistoryMessagesData.model_validate_json(bytes(frame.data))
        for frame in frames
        if isinstance(frame, HistoryPage)
    ]


def _filled(chats: Sequence[Chat], sync_type: int, progress: int) -> Any:
    found = _sync.HistorySync(syncType=sync_type, progress=progress)
    for chat in chats:
        conversation = found.conversations.add(
            ID=chat.jid,
            unreadCount=chat.unread,
            name=chat.name,
            lidJID=chat.lid,
            pnJID=chat.phone,
            endOfHistoryTransferType=1 if chat.is_whole else 0,
        )
        for number in range(chat.messages):
            _fill(conversation.messages.add().message, chat, number)
    return found


def _fill(info: Any, chat: Chat, number: int) -> None:
    info.key.ID, info.key.remoteJID = f"{chat.jid[:4]}M{number}", chat.jid
    info.key.fromMe = number % 3 == 2
    info.messageTimestamp = NEWEST - number
    info.message.conversation = f"text {number}"
    if info.key.fromMe:
        info.status = 4
    elif chat.jid.endswith("@g.us"):
        info.participant = "15550100077:3@s.whatsapp.net"
        info.pushName = "Zed"
