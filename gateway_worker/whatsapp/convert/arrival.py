"""What has arrived, as an event of the contract."""

from dataclasses import dataclass, replace
from typing import Any, Final

from gateway_worker.host_protocol.ids import stand_in
from gateway_worker.host_protocol.media import MediaReference

MESSAGE_RECEIVED: Final = "wa.message.received.v1"
MESSAGE_SENT: Final = "wa.message.sent.v1"
MESSAGE_RECEIPT: Final = "wa.message.receipt.v1"
MESSAGE_UNDECRYPTABLE: Final = "wa.message.undecryptable.v1"
UNREADABLE: Final = "unreadable"
"""The kind of a content that cannot be read, and the reason of a message of which nothing can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One event.

    Attributes:
        type: The event's `type`.
        data: The event's `data` as the contract writes it; people are `Person`s, and what is None
            may be left out.
        media: Of a message, where its file is, if it has one that can be fetched.
    """

    type: str
    data: dict[str, Any]
    media: MediaReference | None = None

    @property
    def is_partial(self) -> bool:
        """Whether something of it did not fit, and stands for itself in another way."""
        return bool(self.data.get("partial"))

    @property
    def chat(self) -> str | None:
        """The conversation."""
        chat: str | None = self.data["chat"]
        return chat

    @property
    def content(self) -> dict[str, Any]:
        """Of a message, what it says."""
        content: dict[str, Any] = self.data["content"]
        return content

    def without_content(self) -> "Arrival | None":
        """Return a message with the name of its kind instead of what it says; None for the rest."""
        if "content" not in self.data:
            return None
        content = {"kind": "unsupported", "message_type": self.content["kind"]}
        data = {**self.data, "content": content, "partial": True}
        return replace(self, data=data, media=None)


def unreadable(payload: bytes) -> Arrival:
    """Return that there was something of which nothing can be read."""
    return Arrival(
        type=MESSAGE_UNDECRYPTABLE, data={"message_id": stand_in(payload), "reason": UNREADABLE}
    )
