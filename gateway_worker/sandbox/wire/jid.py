"""Addresses in stanzas: an account by phone number or by LID, and one of its devices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

PN_SERVER: Final = "s.whatsapp.net"
LID_SERVER: Final = "lid"
GROUP_SERVER: Final = "g.us"
BROADCAST_SERVER: Final = "broadcast"
CHANNEL_SERVER: Final = "newsletter"


@dataclass(frozen=True, slots=True)
class Jid:
    """A user, group, device or server address.

    Attributes:
        user: digits of the phone number or of the LID; empty when the address is a server.
        server: `s.whatsapp.net` (phone number), `lid`, `g.us`, `broadcast`, …
        device: 0 is the account's phone (or the account itself), 1 and up its companions.
    """

    user: str
    server: str
    device: int = 0

    @classmethod
    def parse(cls, text: str) -> Jid:
        """Read `user:device@server`, `user@server` or a bare server name.

        Raises:
            ValueError: the device is not a number.
        """
        user, at, server = text.rpartition("@")
        if not at:
            return cls("", text)
        user, _, device = user.partition(":")
        return cls(user.partition(".")[0], server, int(device) if device else 0)

    def __str__(self) -> str:
        if not self.user:
            return self.server
        if self.device:
            return f"{self.user}:{self.device}@{self.server}"
        return f"{self.user}@{self.server}"

    @property
    def account(self) -> Jid:
        """This address without its device."""
        return replace(self, device=0) if self.device else self

    @property
    def is_lid(self) -> bool:
        """Whether the user part is a LID and not a phone number."""
        return self.server == LID_SERVER

    @property
    def is_shared(self) -> bool:
        """Whether it is a chat in which several people write: a group, or status."""
        return self.server in (GROUP_SERVER, BROADCAST_SERVER)

    def with_device(self, device: int) -> Jid:
        """The given device of the same account."""
        return Jid(self.user, self.server, device)


SERVER: Final = Jid("", PN_SERVER)
"""The address of the service itself."""


STATUS: Final = Jid("status", BROADCAST_SERVER)
"""Where accounts write what they show to all their contacts for a day."""
GROUPS: Final = Jid("", GROUP_SERVER)
"""The address for what is asked of no group in particular."""


def pn(number: str, device: int = 0) -> Jid:
    """The address of a phone number (digits only, with country code)."""
    return Jid(number, PN_SERVER, device)


def lid(user: str, device: int = 0) -> Jid:
    """The address of a LID, the account identifier that hides the phone number."""
    return Jid(user, LID_SERVER, device)
