"""What one account shows of itself, and who may see it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

CATEGORIES: Final = (
    "last",
    "online",
    "profile",
    "status",
    "groupadd",
    "readreceipts",
    "calladd",
)
PRIVACY: Final = dict.fromkeys(CATEGORIES, "all")
"""Categories of privacy settings, and what they are at first."""
PRIVACY_VALUES: Final = frozenset(
    {"all", "contacts", "contact_blacklist", "none", "known", "match_last_seen"}
)


@dataclass(slots=True, eq=False)
class Profile:
    """What one account shows.

    Attributes:
        about: a text.
        picture: JPEG, if there is one.
        picture_id: names it; another one has another.
        verified_name: of a business, as certified.
        greeting: what the business's link begins a chat with.
        link_code: of its contact link.
        privacy: who may see what, by category.
        default_timer: seconds after which messages of new chats disappear.
    """

    about: str = ""
    picture: bytes | None = None
    picture_id: str = ""
    verified_name: str = ""
    greeting: str = ""
    link_code: str = field(default_factory=lambda: secrets.token_hex(7).upper())
    privacy: dict[str, str] = field(default_factory=lambda: dict(PRIVACY))
    default_timer: int = 0

    @property
    def hides_picture(self) -> bool:
        """Whether nobody else may see the picture."""
        return self.privacy["profile"] == "none"
