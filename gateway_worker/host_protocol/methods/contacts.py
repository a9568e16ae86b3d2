"""People, as WhatsApp knows them."""

from typing import Final

from gateway_worker.host_protocol.methods.method import Done, Effect, HostLane, Method, WhenLate
from gateway_worker.host_protocol.wire import Answer, Person

QUESTION_SECONDS: Final = 15.0
"""How long WhatsApp may take to answer."""


class Checked(Answer, frozen=True, kw_only=True, tag="checked"):
    """Who has some numbers.

    Attributes:
        people: One for each number, in their order; None for one that is not on WhatsApp.
        unanswered: The places of the numbers of which WhatsApp has said nothing.
        seconds: How long the library needed.
    """

    people: tuple[Person | None, ...]
    unanswered: tuple[int, ...] = ()
    seconds: float = 0.0


class Known(Answer, frozen=True, kw_only=True, tag="known"):
    """People under their ids: one for each that was asked about; None for whom nobody knows."""

    people: tuple[Person | None, ...]


class Profile(Answer, frozen=True, kw_only=True, tag="profile", omit_defaults=True):
    """What somebody shows of themselves.

    Attributes:
        person: Who it is, with the verified name of a business.
        about: What they say of themselves.
        picture_id: Of their picture.
        devices: How many devices they have.
    """

    person: Person
    about: str | None = None
    picture_id: str | None = None
    devices: int = 0


class Picture(Answer, frozen=True, kw_only=True, tag="picture", omit_defaults=True):
    """Somebody's picture.

    Attributes:
        url: Where it is; None if there is none, or none for this account.
        picture_id: Its id.
        is_hidden: Whether there is one that the account may not see.
    """

    url: str | None = None
    picture_id: str | None = None
    is_hidden: bool = False


class Blocked(Answer, frozen=True, kw_only=True, tag="blocked"):
    """Whom the account has blocked."""

    people: tuple[Person, ...]


class Link(Answer, frozen=True, kw_only=True, tag="link", omit_defaults=True):
    """A link to somebody.

    Attributes:
        link: The link itself.
        person: Whose it is, if that was asked.
        message: What it begins the chat with.
    """

    link: str
    person: Person | None = None
    message: str | None = None


class CheckContacts(Method[Checked], frozen=True, kw_only=True, tag="contact.check"):
    """Ask who has phone numbers (digits), in whichever way each is written."""

    result = Checked
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS

    numbers: tuple[str, ...]


class LookUpContacts(Method[Known], frozen=True, kw_only=True, tag="contact.lookup"):
    """Tell people's ids, by number and by LID.

    Attributes:
        people: Phone numbers (digits) and JIDs.
        asks: Whether WhatsApp is asked about numbers whose LID is not known.
    """

    result = Known
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS

    people: tuple[str, ...]
    asks: bool = True


class AskProfile(Method[Profile], frozen=True, kw_only=True, tag="contact.info"):
    """Ask what somebody shows of themselves: a phone number or a JID."""

    result = Profile
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS

    of: str


class AskPicture(Method[Picture], frozen=True, kw_only=True, tag="contact.picture"):
    """Ask where the picture of a person or a group is.

    Attributes:
        of: A phone number or a JID.
        is_preview: Whether the small one is wanted.
    """

    result = Picture
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS

    of: str
    is_preview: bool = False


class SetBlocked(Method[Done], frozen=True, kw_only=True, tag="contact.block"):
    """Block somebody (a phone number or a JID), or no longer."""

    result = Done
    effect = Effect.IDEMPOTENT
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS

    contact: str
    is_blocked: bool


class ListBlocked(Method[Blocked], frozen=True, kw_only=True, tag="contact.blocklist"):
    """Ask whom the account has blocked."""

    result = Blocked
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS


class AskLink(Method[Link], frozen=True, kw_only=True, tag="contact.link"):
    """Ask for the link to the account, or whose link it is.

    Attributes:
        link: Somebody else's; None for the account's own.
        revokes: Whether the account's own link so far ends.
    """

    result = Link
    effect = Effect.IDEMPOTENT
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS

    link: str | None = None
    revokes: bool = False


ContactCall = (
    CheckContacts | LookUpContacts | AskProfile | AskPicture | SetBlocked | ListBlocked | AskLink
)
"""Every method of this family."""

ContactAnswer = Checked | Known | Profile | Picture | Blocked | Link
"""What they are answered with."""
