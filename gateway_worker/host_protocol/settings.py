"""What a session's host must know of the session's settings."""

from typing import Final

from gateway_worker.host_protocol.wire import Wire

GROUPS: Final = "groups"
STATUS: Final = "status"
BROADCAST: Final = "broadcast"
CHANNELS: Final = "channels"
CHATS: Final = "chats"
IGNORED: Final = (GROUPS, STATUS, BROADCAST, CHANNELS, CHATS)
"""What arrivals are ignored by, as the contract calls it; the last: their conversation is named."""
NO_HISTORY: Final = "off"
WHOLE_HISTORY: Final = "full"
"""Depths of a history, as the contract calls them."""


class HostSettings(Wire, frozen=True, kw_only=True):
    """What a host obeys until it is given others.

    Attributes:
        ignored: The contract's names of conversations of which nothing but receipts is told.
        ignored_chats: Single ones, by their JIDs.
        presence: How the account is shown, as the contract calls it; empty: as it is.
        presence_of: Whose presence is told: phone numbers and JIDs.
        typing: Whether it is told who writes in a chat; obeyed from a host's start on.
        platform: What the device says that it is when it is linked, as the contract calls it.
        history: How much is told of what was written before the account was linked, as the contract
            calls it. The library is told at its start, and the phone when the account is linked.
    """

    ignored: tuple[str, ...] = (STATUS,)
    ignored_chats: tuple[str, ...] = ()
    presence: str = ""
    presence_of: tuple[str, ...] = ()
    typing: bool = False
    platform: str = "chrome"
    history: str = NO_HISTORY
