"""Channels: one account posts in each, others follow it, and everybody reads the same bytes."""

from __future__ import annotations

import itertools
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
    """

    jid: Jid
    owner: Jid
    followers: set[Jid] = field(default_factory=set)
    posts: dict[str, int] = field(default_factory=dict)

    def number_of(self, post_id: str) -> int:
        """Return the number of a post; a new one gets the next."""
        return self.posts.setdefault(post_id, _FIRST_POST + len(self.posts))


class Channels:
    """All channels."""

    def __init__(self) -> None:
        """Start with none."""
        self._channels: dict[str, Channel] = {}
        self._users = (str(_FIRST_USER + number) for number in itertools.count())

    def create(self, owner: Jid, *, followers: Iterable[Jid]) -> Channel:
        """Open a channel.

        Args:
            owner: LID address of the account that posts in it.
            followers: LID addresses of accounts.
        """
        jid = Jid(next(self._users), CHANNEL_SERVER)
        channel = Channel(jid=jid, owner=owner, followers=set(followers))
        self._channels[jid.user] = channel
        return channel

    def find(self, address: Jid) -> Channel | None:
        """Return the channel with this address, if there is one."""
        return self._channels.get(address.user) if address.server == CHANNEL_SERVER else None
