"""What the account shows of itself, and to whom."""

from typing import Final

from gateway_worker.host_protocol.methods.contacts import QUESTION_SECONDS, Profile
from gateway_worker.host_protocol.methods.method import Done, Effect, HostLane, Method, WhenLate
from gateway_worker.host_protocol.wire import Answer

LARGEST_PICTURE_BYTES: Final = 1024 * 1024


class Privacy(Answer, frozen=True, kw_only=True, tag="privacy"):
    """Who may see what: values by setting, in the contract's words."""

    settings: dict[str, str]


class AskOwnProfile(Method[Profile], frozen=True, kw_only=True, tag="profile.get"):
    """Ask what the account shows of itself."""

    result = Profile
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS


class SetProfile(Method[Done], frozen=True, kw_only=True, tag="profile.set"):
    """Change one thing that the account shows of itself.

    Attributes:
        name: Its name.
        about: Its about.
        picture: A JPEG in the session's directory.
    """

    result = Done
    effect = Effect.IDEMPOTENT
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = 30.0

    name: str | None = None
    about: str | None = None
    picture: str | None = None


class AskPrivacy(Method[Privacy], frozen=True, kw_only=True, tag="privacy.get"):
    """Ask who may see what."""

    result = Privacy
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS


class SetPrivacy(Method[Privacy], frozen=True, kw_only=True, tag="privacy.set"):
    """Change who may see something; both in the contract's words."""

    result = Privacy
    effect = Effect.IDEMPOTENT
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = QUESTION_SECONDS

    setting: str
    value: str


ProfileCall = AskOwnProfile | SetProfile | AskPrivacy | SetPrivacy
"""Every method of this family."""

ProfileAnswer = Privacy
"""What they are answered with, if not as contacts' are."""
