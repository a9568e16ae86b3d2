"""What a command is to the others of its session, and what its order holds among."""

from dataclasses import dataclass
from enum import Enum, StrEnum


class Lane(StrEnum):
    """What an item is to the others of its session."""

    SENDS = "sends"
    DEFERRED = "deferred"
    """Sends that nobody waits for: scheduled ones, and the rows of bulks."""
    LIFECYCLE = "lifecycle"
    LOOKUPS = "lookups"
    QUERIES = "queries"
    GESTURES = "gestures"
    """What is shown of the account: that it has read, that it writes."""
    REPLAYS = "replays"
    PEERS = "peers"
    """Messages among workers that concern no command."""
    FREE = "free"
    """Waits for nothing, not even for its own kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the order of sends holds among, e.g. a chat: two that may be the same are in order.

    Attributes:
        marks: What an item says of itself to later ones.
        waits_for: The marks of earlier ones that it must not overtake.
    """

    marks: frozenset[str]
    waits_for: frozenset[str]


class Passing(Enum):
    """Which later items of its own lane an item lets pass while it waits."""

    NOBODY = "nobody"
    LANE = "lane"
    """All that are no sends: these wait for what it waits for, too."""
    OTHER_ORDERS = "other_orders"
    """Sends of another order."""
