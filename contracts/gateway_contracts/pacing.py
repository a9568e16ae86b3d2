"""How fast a session sends: the setting `pacing` of `session.create` and `session.update`."""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from gateway_contracts.model import ClockTime, Timestamp, TimeZone, WireModel, whole


class PacingProfile(StrEnum):
    """How much an account can be trusted with."""

    NEW = "new"
    """Linked only now: a message each 5 s after the first 5, and few on its first days."""
    NORMAL = "normal"
    """A message a second after the first 20, and 5,000 a day."""
    TRUSTED = "trusted"
    """20 messages a second after the first 100."""
    OFF = "off"
    """As fast as it goes."""


class RecipientPacing(WireModel):
    """How fast one chat is written to, whoever and whatever it is."""

    burst: Annotated[int, Field(ge=1, le=1_000), BeforeValidator(whole)] = Field(
        45, description="So many messages at once, after a rest."
    )
    seconds: Annotated[float, Field(gt=0, le=3_600)] = Field(
        6.0, description="Then one each so many seconds."
    )


class WarmUp(WireModel):
    """How a daily cap grows from a small one."""

    first_day: Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(whole)] = Field(
        20, description="The cap of the first day."
    )
    growth: Annotated[float, Field(ge=1, le=10)] = Field(
        1.5, description="How many times as high it is on each further day."
    )
    since: Timestamp | None = Field(
        None, description="When it began; absent, when the session was created."
    )


class QuietHours(WireModel):
    """The hours of the day in which nothing is sent."""

    start: ClockTime
    end: ClockTime = Field(description="If it is before `start`, on the next day.")
    time_zone: TimeZone | None = Field(
        None,
        description="Absent, the recipient's own, as far as its number tells (of a country with "
        "several: in none of them may it be quiet), else that of the session.",
    )


class TypingPace(WireModel):
    """How long a chat shows that somebody types, before a text or a caption is sent."""

    characters_per_second: Annotated[float, Field(gt=0, le=1_000)] = 15.0
    longest_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0


class Pacing(WireModel):
    """How fast a session sends. What is absent is the profile's.

    A message that has to wait is sent when its time has come; messages to other chats pass it
    meanwhile, as far as it is only its own chat that it waits for. One whose wait would pass its
    deadline, or would be longer than the gateway waits at all, fails with `rate_limited` at once.
    """

    profile: PacingProfile | None = Field(None, description="Absent, the gateway's own.")
    per_second: Annotated[float, Field(gt=0, le=100)] | None = Field(
        None, description="How many messages a second, to all chats together."
    )
    burst: Annotated[int, Field(ge=1, le=10_000), BeforeValidator(whole)] | None = Field(
        None, description="How many at once, after a rest."
    )
    daily_cap: Annotated[int, Field(ge=1, le=10_000_000), BeforeValidator(whole)] | None = Field(
        None, description="How many in one day of `time_zone`."
    )
    warm_up: WarmUp | None = None
    recipient: RecipientPacing | None = None
    jitter: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None,
        description="A wait is longer by up to this share of the time between two messages.",
    )
    time_zone: TimeZone | None = Field(None, description="Absent, the gateway's own.")
    quiet_hours: QuietHours | None = None
    typing: TypingPace | None = None
