"""What a backend sees of a replay."""

from collections.abc import Sequence
from dataclasses import dataclass

from aio_pika.abc import AbstractIncomingMessage

from gateway_worker.sessions.changes import OutboxRow
from tests.support.eventually import eventually

EVENTS = 600
"""More than two pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayQueue:
    """A backend's queue and what has come to it."""

    name: str
    came: list[AbstractIncomingMessage]

    async def until(self, count: int) -> None:
        """Wait until so many messages have come, repeats among them."""
        await eventually(lambda: len(self.came) >= count, timeout_seconds=30)

    def first_arrivals(self) -> list[str]:
        """Return the ids in the order in which each came for the first time."""
        return list(dict.fromkeys(str(message.message_id) for message in self.came))


def ids(rows: Sequence[OutboxRow]) -> list[str]:
    """Return the ids of events."""
    return [row.event_id for row in rows]
