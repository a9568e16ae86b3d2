"""What a session is set to: given when it is created, changed while it runs.

`SessionSettings` has a field for each setting, and is part of the data of the commands that give
them and of what tells of them. A setting is replaced as a whole. One that is absent is the
gateway's own in `session.create`, and stays as it is in `session.update`; an empty one (`{}`) is
the gateway's own again.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import FailFast, Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import (
    PRINTABLE_PATTERN,
    PROXY_PATTERN,
    PersonId,
    Recipient,
    Text,
    WireModel,
)
from gateway_contracts.pacing import Pacing
from gateway_contracts.people import PresenceState


class Ignorable(StrEnum):
    """Conversations of which a session may be told nothing."""

    GROUPS = "groups"
    STATUS = "status"
    """What contacts post to their status."""
    BROADCAST = "broadcast"
    """What somebody has sent to a list of recipients, of whom the account is one."""
    CHANNELS = "channels"


class Ignore(WireModel):
    """What is not told of what arrives.

    It is dropped before it is stored anywhere, and counted. Receipts for what the account has sent
    are told all the same. What was ignored does not come again when it is ignored no more.
    """

    categories: Annotated[tuple[Ignorable, ...], FailFast(), Field(max_length=8)] = (
        Ignorable.STATUS,
    )
    chats: Annotated[tuple[Recipient, ...], FailFast(), Field(max_length=256)] = Field(
        (), description="Conversations with people, and groups."
    )


class Proxy(WireModel):
    """An HTTP proxy through which all of a session's traffic with WhatsApp goes, files included.

    While it does not answer the session is not connected: there is no way around it. Empty, there
    is none.
    """

    url: (
        Annotated[str, Field(pattern=PROXY_PATTERN, examples=["http://proxy.example:3128"])] | None
    ) = None
    username: Annotated[str, PERSONAL, Field(max_length=255, pattern=PRINTABLE_PATTERN)] | None = (
        Field(None, repr=False, description="Never told again.")
    )
    password: (
        Annotated[str, PERSONAL, Field(max_length=4_096, pattern=PRINTABLE_PATTERN)] | None
    ) = Field(None, repr=False, description="Never told again.")


MOST_SUBSCRIBED = 200
"""People whose presence is told to one session."""


class Presence(WireModel):
    """Whether the account is shown as there, and whose presence is told."""

    state: PresenceState | None = Field(None, description="Absent, nothing is said of it.")
    contacts: Annotated[tuple[PersonId, ...], FailFast(), Field(max_length=MOST_SUBSCRIBED)] = (
        Field((), description="As `presence.subscribe` adds to them.")
    )
    typing: bool = Field(
        default=False,
        description="Whether `presence.typing` is told; another value makes the session connect "
        "anew. A way of typing that the gateway's library does not know costs a new process, which "
        "is why it is off unless somebody wants it.",
    )


class Calls(WireModel):
    """What becomes of calls that ring while the session has a connection."""

    auto_reject: bool = Field(
        default=False,
        description="Refuse each of them; `call.received` says `auto_rejected` then.",
    )
    text: Annotated[Text, Field(min_length=1, max_length=4_096)] | None = Field(
        None,
        description="What the caller of a call that is refused so is written, once for each call; "
        "nobody is for a call in a group. It is a `message.send` of the gateway's own, whose id is "
        "that of `call.received` with `-answer` behind it: its outcome is told under that.",
    )


class DevicePlatform(StrEnum):
    """What a linked device says that it is; phones show its picture in their list of devices."""

    CHROME = "chrome"
    DESKTOP = "desktop"
    EDGE = "edge"
    FIREFOX = "firefox"
    OPERA = "opera"
    SAFARI = "safari"


class HistoryDepth(StrEnum):
    """How much of what was written before it was linked a session is told.

    Its phone is asked once, when the account is linked: another depth counts from the next time on
    that it is, but for `off`, which drops what is still to come.
    """

    OFF = "off"
    RECENT = "recent"
    """What phones send by themselves: the last messages of each chat, and some months."""
    FULL = "full"
    """As far back as the phone goes."""


class SessionSettings(WireModel):
    """What a session is set to; what is absent is the gateway's own."""

    ignore: Ignore | None = Field(
        None,
        description="What is not told of what arrives; of its own the gateway ignores `status`.",
    )
    calls: Calls | None = Field(None, description="Of their own they ring on the phone.")
    history: HistoryDepth | None = Field(
        None,
        description="How much it is told of what was written before it was linked, as "
        "`history.messages`; of its own `off`.",
    )
    pacing: Pacing | None = Field(None, description="How fast it sends.")
    platform: DevicePlatform | None = Field(
        None,
        description="What it says that it is when it is linked; of its own `chrome`. Another one "
        "counts from the next time on that it is linked.",
    )
    proxy: Proxy | None = Field(
        None, description="How it reaches WhatsApp; another one makes it connect anew."
    )
    presence: Presence | None = Field(
        None, description="What `presence.set` and `presence.subscribe` have left."
    )

    def changed(self, given: "SessionSettings") -> Self:
        """Return these settings with those that are given in place of theirs."""
        values = {name: getattr(given, name) for name in SessionSettings.model_fields}
        return self.model_copy(
            update={name: value for name, value in values.items() if value is not None}
        )
