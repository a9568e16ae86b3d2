"""Messages, and the chats that they are in."""

from typing import Any

from gateway_worker.host_protocol.media import Attachment
from gateway_worker.host_protocol.methods.method import Effect, HostLane, Method, WhenLate
from gateway_worker.host_protocol.wire import Answer, Wire


class Sent(Answer, frozen=True, kw_only=True, tag="sent"):
    """WhatsApp's server has taken a message, for at least one device of the recipient.

    Attributes:
        message_id: The library's id of the message.
        chat: The conversation's id.
        chat_lid: The recipient's LID, if it is a person's.
        timestamp: The server's, in Unix seconds.
        seconds: How long the library needed.
        devices_left_out: Devices of the recipients that the message was not written to.
        server_id: Of a post in a channel, its number there.
    """

    message_id: str
    chat: str
    chat_lid: str | None = None
    timestamp: int
    seconds: float = 0.0
    devices_left_out: int = 0
    server_id: int | None = None


class Chats(Answer, frozen=True, kw_only=True, tag="chats"):
    """The ids of one chat."""

    chats: tuple[str, ...]


class Quote(Wire, frozen=True, kw_only=True):
    """The message that a reply quotes: its id, its writer's JID and, if known, what it says.

    Attributes:
        content: As the contract writes it.
        chat: Where it is, if that is not the chat that the reply goes to.
    """

    message_id: str
    participant: str
    content: dict[str, Any] | None = None
    chat: str | None = None


class SendMessage(Method[Sent], frozen=True, kw_only=True, tag="message.send"):
    """Send a message.

    Attributes:
        to: A JID or a phone number (digits).
        content: As the contract writes it, without what is None.
        mentions: JIDs or phone numbers (digits).
        quoted: The message that it answers.
        attachment: Of a content with a file, that file.
        disappearing_seconds: After how long it disappears; None: it stays.
        album_id: The message of the album that it is a part of.
        thumbnail: Of a text with a link's preview, the preview's picture: a small JPEG.
        mentions_all: Whether everybody in the group is named.
        forwarding_score: Of what is forwarded, how often it was passed on; None for what is not.
    """

    result = Sent
    effect = Effect.ONCE
    lane = HostLane.ORDERED
    when_late = WhenLate.CUT

    to: str
    content: dict[str, Any]
    mentions: tuple[str, ...] = ()
    quoted: Quote | None = None
    attachment: Attachment | None = None
    disappearing_seconds: int | None = None
    album_id: str | None = None
    thumbnail: bytes | None = None
    mentions_all: bool = False
    forwarding_score: int | None = None


class FindChats(Method[Chats], frozen=True, kw_only=True, tag="contact.chats"):
    """Return the ids that a person's chat is known by, by number and by LID.

    Attributes:
        to: A phone number or a JID.
        asks: Whether WhatsApp is asked about somebody who is not known yet.
    """

    result = Chats
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE

    to: str
    asks: bool = True


MessageCall = SendMessage | FindChats
"""Every method of this family."""

MessageAnswer = Sent | Chats
"""What they are answered with."""
