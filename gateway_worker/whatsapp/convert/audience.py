"""Who sees the account's status posts, by the library's own rule."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

CONTACTS: Final = "contacts"
CONTACTS_EXCEPT: Final = "contacts_except"
SELECTED: Final = "selected"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSetting:
    """What the account's phone is set to.

    Attributes:
        name: By the contract's name.
        chosen: Those whom the owner has named, as JIDs: left out, or selected.
    """

    name: str = CONTACTS
    chosen: frozenset[str] = frozenset()

    def audience(self, contacts: Callable[[], frozenset[str]]) -> frozenset[str]:
        """Return who sees the posts.

        Args:
            contacts: Returns the JIDs of all whom the phone knows by name; asked only if it counts.
        """
        if self.name == SELECTED:
            return self.chosen
        return contacts() - self.chosen if self.name == CONTACTS_EXCEPT else contacts()
