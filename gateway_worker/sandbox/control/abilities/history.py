"""What was written before a companion was linked."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from gateway_worker.sandbox.control.models import Body
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.phones.history import (
    HistoryPart,
    HistoryType,
    PastChat,
    PastMessage,
    made_chats,
)
from gateway_worker.sandbox.phones.phone import Phone


class PastMessageBody(Body):
    """A message of before; see `phones.history.PastMessage`."""

    message_id: str
    text: str = ""
    content: dict[str, Any] | None = None
    from_me: bool = False
    sent_at: int
    writer: str = ""
    push_name: str = ""


class PastChatBody(Body):
    """A chat of before; see `phones.history.PastChat`."""

    address: str
    lid: str = ""
    name: str = ""
    unread: int = 0
    is_whole: bool = False
    messages: tuple[PastMessageBody, ...] = ()


class HistoryBody(Body):
    """A part of the history, given chat by chat, or made up.

    Attributes:
        kind: what it is.
        progress: how much of its kind is sent with it, in percent.
        external: whether it is uploaded as a file.
        chats: what is in it.
        made_chats: how many more chats are made up.
        made_messages: of each of them.
        made_characters: of each message in them.
        made_first: the number of the first one's other one.
    """

    kind: HistoryType = HistoryType.RECENT
    progress: int = Field(default=100, ge=0, le=100)
    external: bool = True
    chats: tuple[PastChatBody, ...] = ()
    made_chats: int = Field(default=0, ge=0)
    made_messages: int = Field(default=0, ge=0)
    made_characters: int = Field(default=100, ge=0)
    made_first: int = 12_025_580_000


class SentHistory(Body):
    """What was sent: its bytes, compressed."""

    size: int


async def send_history(phone: Phone, body: HistoryBody) -> SentHistory:
    """Send the companions a part of what was written before; returns its bytes, compressed."""
    given = (
        PastChat(
            **{
                **chat.model_dump(exclude={"messages"}),
                "messages": [PastMessage(**one.model_dump()) for one in chat.messages],
            }
        )
        for chat in body.chats
    )
    made = made_chats(
        body.made_chats,
        body.made_messages,
        characters=body.made_characters,
        first=body.made_first,
    )
    part = HistoryPart(
        kind=body.kind,
        progress=body.progress,
        external=body.external,
        chats=(*given, *made),
    )
    return SentHistory(size=await phone.send_history(part))


OPERATIONS: Final = (
    Operation(
        name="send_history",
        route="POST /phones/{number}/history",
        run=send_history,
        status=201,
        returns="size",
        whole="history",
    ),
)
