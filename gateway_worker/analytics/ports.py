"""What counting needs of the database (implemented by `storage.db.analytics`)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple, Protocol

from gateway_contracts import DayCounts
from gateway_worker.sessions.changes import Review


class SentPlace(NamedTuple):
    """A message's place among those that a session has sent."""

    stored_at: datetime
    message_id: str
    chat: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """A message that nobody has confirmed."""

    place: SentPlace
    timestamp: datetime
    command_id: str
    client_ref: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a session has sent lately.

    Attributes:
        sends: Commands that have come to their end.
        failures: Of these, those that failed at WhatsApp or at the recipients.
        refusals: Of these, those that were refused as new chats.
        chats: People that something was sent to.
        cold_chats: Of these, those who have never written.
    """

    sends: int = 0
    failures: int = 0
    refusals: int = 0
    chats: int = 0
    cold_chats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """What is to be added up of several sessions.

    Attributes:
        since: The first day.
        until: The last one.
        labels: Which they had when a day was over.
        tenant: Whose they are; None: everybody's.
    """

    since: date
    until: date
    labels: Mapping[str, str]
    tenant: str | None = None


class AnalyticsStore(Protocol):
    """Adds up rows. Every call may raise `DependencyError`."""

    async def now(self) -> datetime:
        """Return the time by which rows are stored."""
        ...

    async def count(self, session_id: str, day: date) -> DayCounts:
        """Count a session's day, as it stands now."""
        ...

    async def counted(
        self, session_id: str, *, since: date, until: date
    ) -> Mapping[date, DayCounts]:
        """Return the days that are counted for good, both ends included."""
        ...

    async def counted_together(self, wanted: Together) -> tuple[int, Sequence[DayCounts]]:
        """Return of how many sessions something was counted, and their days added up, in order."""
        ...

    async def reviews(self, session_ids: Collection[str]) -> Mapping[str, Review]:
        """Return how far sessions have been looked at, as far as they have."""
        ...

    async def unconfirmed(
        self, session_id: str, *, after: SentPlace, until: datetime, limit: int
    ) -> tuple[Sequence[Unconfirmed], SentPlace]:
        """Return what commands have sent to people and groups and nobody has confirmed.

        Args:
            session_id: Whose.
            after: The place after which to begin.
            until: Nothing that was stored later.
            limit: How many messages are looked at.

        Returns:
            Those, in order, and the place up to which was looked.
        """
        ...

    async def traffic(
        self, session_id: str, *, since: datetime, failures: Iterable[str]
    ) -> Traffic:
        """Return what a session has sent since then; `failures` are the codes that count."""
        ...
