"""Channels: one account posts in each, others follow it, and everybody reads the same bytes."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.wire.jid import CHANNEL_SERVER, Jid

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIRST_USER: Final = 120_363_000_000_000_001
_FIRST_POST: Final = 100
"""So that nobody takes a number in a channel for a count."""


@dataclass(slots=True, eq=False)
class Channel:
    """A channel; mutable state of the service.

    Attributes:
        jid: its address.
        owner: LID address of the account that posts in it.
        followers: LID addresses of the accounts that get what is posted.
        posts: numbers of what was posted, by its id.
        name: as shown.
        description: likewise.
        invite: the code that leads to it.
        muted: LID addresses of the accounts that want no notifications.
        reactions: emojis, by a post's number and the LID address of who reacts.
        read: ids of posts that were marked as read, by the LID address of whose devices did it.
    """

    jid: Jid
    owner: Jid
    followers: set[Jid] = field(default_factory=set)
    posts: dict[str, int] = field(default_factory=dict)
    name: str = ""
    description: str = ""
    invite: str = field(default_factory=lambda: secrets.token_hex(11))
    muted: set[Jid] = field(default_factory=set)
    reactions: dict[tuple[int, Jid], str] = field(default_factory=dict)
    read: dict[Jid, set[str]] = field(default_factory=dict)

    def number_of(self, post_id: str) -> int:
        """Return the number of a post; a new one gets the next."""
        return self.posts.setdefault(post_id, _FIRST_POST + len(self.posts))


class Channels:
    """All channels."""

    def __init__(self) -> None:
        """Start with none."""
        self._channels: dict[str, Channel] = {}
        self._users = (str(_FIRST_USER + number) for number in itertools.count())

    def create(
        self, owner: Jid, *, followers: Iterable[Jid], name: str = "", description: str = ""
    ) -> Channel:
        """Open a channel.

        Args:
            owner: LID address of the account that posts in it.
            followers: LID addresses of accounts.
            name: as shown.
            description: likewise.
        """
        jid = Jid(next(self._users), CHANNEL_SERVER)
        channel = Channel(
            jid=jid, owner=owner, followers=set(followers), name=name, description=description
        )
        self._channels[jid.user] = channel
        return channel

    def find(self, address: Jid) -> Channel | None:
        """Return the channel with this address, if there is one."""
        return self._channels.get(address.user) if address.server == CHANNEL_SERVER else None

    def invited(self, invite: str) -> Channel | None:
        """Return the channel that an invitation's code leads to, if there is one."""
        return next((one for one in self._channels.values() if one.invite == invite), None)

    def of(self, account: Jid) -> tuple[Channel, ...]:
        """Return the channels that an account (a LID address) has or follows, the oldest first."""
        return tuple(
            one
            for one in self._channels.values()
            if account == one.owner or account in one.followers
        )
