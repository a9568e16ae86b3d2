"""What a host can be asked for: one small class per method, with what is to be known of a call.

A method is its parameters; the class says what the answer is, what a call that was interrupted is
worth, and what it waits for. The worker and the host treat all of them alike.
"""

from enum import Enum, auto
from typing import Any, ClassVar, Generic, TypeVar

from gateway_worker.host_protocol.media import Attachment, MediaType, Uploaded
from gateway_worker.host_protocol.wire import Person, Wire


class Effect(Enum):
    """What a call does, and so what may follow when nobody knows how it ended."""

    QUERY = auto()
    """Nothing: it may be asked again."""
    IDEMPOTENT = auto()
    """Once more changes nothing more: it may be repeated."""
    ONCE = auto()
    """A second time would be a second effect: the host keeps a journal, and it is not repeated."""


class HostLane(Enum):
    """What a call waits for within its session's host."""

    ORDERED = auto()
    """All ordered calls before it."""
    QUERY = auto()
    """Other queries only."""
    TRANSFER = auto()
    """Other transfers only: the library holds all of a file in memory."""
    NONE = auto()
    """Nothing: the host's own loop answers, and it must not wait for anything."""


class WhenLate(Enum):
    """What becomes of a call that runs and whose time is up."""

    LEAVE = auto()
    """It is given up, and the connection stays: the library ends it by itself some time."""
    CUT = auto()
    """The connection is cut, which is how the library learns what became of it."""


class Sent(Wire, frozen=True, kw_only=True, tag="sent"):
    """WhatsApp's server has taken a message, for at least one device of the recipient.

    Attributes:
        message_id: The library's id of the message.
        chat: The conversation's id.
        chat_lid: The recipient's LID, if it is a person's.
        timestamp: The server's, in Unix seconds.
        seconds: How long the library needed.
        devices_left_out: Devices of the recipients that the message was not written to.
    """

    message_id: str
    chat: str
    chat_lid: str | None = None
    timestamp: int
    seconds: float = 0.0
    devices_left_out: int = 0


class Done(Wire, frozen=True, kw_only=True, tag="done"):
    """It has taken effect, and there is nothing more to say."""


class Chats(Wire, frozen=True, kw_only=True, tag="chats"):
    """The ids of one chat."""

    chats: tuple[str, ...]


class Checked(Wire, frozen=True, kw_only=True, tag="checked"):
    """Who has some numbers.

    Attributes:
        people: One for each number, in their order; None for one that is not on WhatsApp.
        seconds: How long the library needed.
    """

    people: tuple[Person | None, ...]
    seconds: float = 0.0


class Heard(Wire, frozen=True, kw_only=True, tag="heard"):
    """How long ago WhatsApp has last sent anything; None: there is no connection."""

    seconds: float | None = None


Result = Sent | Done | Chats | Checked | Uploaded | Heard
R = TypeVar("R", bound=Result)


class Method(Wire, Generic[R], frozen=True, kw_only=True):
    """What all methods have in common.

    Attributes:
        result: What a call is answered with.
        effect: What it does.
        lane: What it waits for.
        when_late: What becomes of one that runs when its time is up.
        timeout_seconds: How long an answer may take; None: as long as is set for sends.
        ends_host: Whether the host leaves afterwards, as is meant.
    """

    result: ClassVar[type[Result]]
    effect: ClassVar[Effect]
    lane: ClassVar[HostLane]
    when_late: ClassVar[WhenLate]
    timeout_seconds: ClassVar[float | None] = None
    ends_host: ClassVar[bool] = False


class Quote(Wire, frozen=True, kw_only=True):
    """The message that a reply quotes: its id, its writer's JID and, if known, what it says.

    Attributes:
        content: As the contract writes it.
    """

    message_id: str
    participant: str
    content: dict[str, Any] | None = None


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


class UploadMedia(Method[Uploaded], frozen=True, kw_only=True, tag="media.upload"):
    """Encrypt a file and put it on WhatsApp's media servers, which keep it for some weeks.

    Attributes:
        path: The file, in the session's directory. It is read while the call runs, also after that
            was given up, and must not become shorter meanwhile.
        media_type: What kind of file it is.
    """

    result = Uploaded
    effect = Effect.IDEMPOTENT
    lane = HostLane.TRANSFER
    when_late = WhenLate.LEAVE
    timeout_seconds = 600.0

    path: str
    media_type: MediaType


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


class CheckContacts(Method[Checked], frozen=True, kw_only=True, tag="contact.check"):
    """Ask who has phone numbers (digits), in whichever way each is written."""

    result = Checked
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = 15.0

    numbers: tuple[str, ...]


class Logout(Method[Done], frozen=True, kw_only=True, tag="session.logout"):
    """Unlink the device."""

    result = Done
    effect = Effect.IDEMPOTENT
    lane = HostLane.ORDERED
    when_late = WhenLate.CUT
    timeout_seconds = 10.0
    ends_host = True


class Listen(Method[Heard], frozen=True, kw_only=True, tag="session.listen"):
    """Tell how long ago WhatsApp has last sent anything; a host that hangs says nothing."""

    result = Heard
    effect = Effect.QUERY
    lane = HostLane.NONE
    when_late = WhenLate.LEAVE
    timeout_seconds = 5.0


class Probe(Method[Done], frozen=True, kw_only=True, tag="session.probe"):
    """Ask WhatsApp something, so that it has to answer."""

    result = Done
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = 20.0


Call = SendMessage | UploadMedia | FindChats | CheckContacts | Logout | Listen | Probe
"""Every method."""
