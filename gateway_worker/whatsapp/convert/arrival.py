"""What has arrived, as an event of the contract."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from gateway_worker.host_protocol.ids import stand_in
from gateway_worker.host_protocol.media import MediaReference
from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert.chats import STATUS_CHAT
from gateway_worker.whatsapp.convert.people import People

MESSAGE_RECEIVED: Final = "wa.message.received.v1"
MESSAGE_SENT: Final = "wa.message.sent.v1"
STATUS_RECEIVED: Final = "wa.status.received.v1"
STATUS_POSTED: Final = "wa.status.posted.v1"
POLL_VOTE: Final = "wa.poll.vote.v1"
MESSAGE_RECEIPT: Final = "wa.message.receipt.v1"
CHAT_READ: Final = "wa.chat.read.v1"
MESSAGE_UNDECRYPTABLE: Final = "wa.message.undecryptable.v1"
UNREADABLE: Final = "unreadable"
"""The kind of a content that cannot be read, and the reason of a message of which nothing can."""
_MESSAGES: Final = {
    (False, False): MESSAGE_RECEIVED,
    (False, True): MESSAGE_SENT,
    (True, False): STATUS_RECEIVED,
    (True, True): STATUS_POSTED,
}
"""What is told of a message, by whether it is a status post and whether the account wrote it."""
_MOST_CHOSEN: Final = 100
_HASH_BYTES: Final = 32
_TAKEN_BACK: Final = {"state": "resolved"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One event.

    Attributes:
        type: The event's `type`.
        data: The event's `data` as the contract writes it; people are `Person`s, and what is None
            may be left out.
        media: Of a message, where its file is, if it has one that can be fetched.
        is_sealed: What it says is still to be opened, with the secret of another message.
        identity: Of what is told once: what it is known again by.
    """

    type: str
    data: dict[str, Any]
    media: MediaReference | None = None
    is_sealed: bool = False
    identity: str = ""

    @property
    def is_partial(self) -> bool:
        """Whether something of it did not fit, and stands for itself in another way."""
        return bool(self.data.get("partial"))

    @property
    def chat(self) -> str | None:
        """The conversation, if it is known."""
        chat: str | None = self.data.get("chat")
        return chat

    @property
    def content(self) -> dict[str, Any]:
        """Of a message, what it says."""
        content: dict[str, Any] = self.data["content"]
        return content

    @property
    def is_vote(self) -> bool:
        """Whether it is a vote in a poll."""
        return self.type == POLL_VOTE

    def opened(self, chosen: Sequence[bytes] | None) -> Self:
        """Return a vote with the hashes of what is chosen; None if nobody can tell."""
        if chosen is None:
            return replace(self, is_sealed=False)
        hashes = [one.hex() for one in chosen[:_MOST_CHOSEN] if len(one) == _HASH_BYTES]
        # What the hashes stand for is in the poll, which the history has.
        told = {"state": "poll_unknown", "option_hashes": hashes} if hashes else _TAKEN_BACK
        return replace(self, data={**self.data, "content": self.content | told}, is_sealed=False)

    def without_content(self) -> Self | None:
        """Return a message with the name of its kind instead of what it says; None for the rest."""
        if "content" not in self.data:
            return None
        content = {"kind": "unsupported", "message_type": self.content["kind"]}
        data = {**self.data, "content": content, "partial": True}
        is_message = self.type in _MESSAGES.values()
        type_ = message_type(self.chat, from_me=bool(data.get("from_me")))
        return replace(self, type=self.type if is_message else type_, data=data, media=None)


Tell = Callable[[Record, People], tuple[Arrival | None, ...]]
"""Returns what a record tells; None and nothing for what is not for backends."""


def message_type(chat: str | None, *, from_me: bool) -> str:
    """Return what a message is told as that changes nothing.

    Args:
        chat: Its conversation.
        from_me: Whether the account itself wrote it.
    """
    return _MESSAGES[chat == STATUS_CHAT, from_me]


def unreadable(payload: bytes) -> Arrival:
    """Return that there was something of which nothing can be read."""
    return Arrival(
        type=MESSAGE_UNDECRYPTABLE, data={"message_id": stand_in(payload), "reason": UNREADABLE}
    )
