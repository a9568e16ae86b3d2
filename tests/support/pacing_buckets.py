"""Shared buckets without Redis, and what pacing tells."""

from dataclasses import dataclass, field, replace

from gateway_worker.commands.pacing.buckets import Asked, Levels, Reserved, reserve
from gateway_worker.commands.pacing.ports import PacingObserver, PacingStore
from gateway_worker.errors import DependencyError


@dataclass(kw_only=True)
class MemoryBuckets(PacingStore):
    """Shared buckets in memory, by a clock that a test turns.

    Attributes:
        now_ms: The time there.
        is_away: Whether they answer.
        asked: How often they were asked.
    """

    now_ms: int
    is_away: bool = False
    asked: int = 0
    sessions: dict[str, Levels] = field(default_factory=dict)
    chats: dict[tuple[str, str], int] = field(default_factory=dict)

    async def reserve(
        self, session_id: str, recipient: str, asked: Asked, known: Levels
    ) -> Reserved:
        """Give the next places."""
        self.asked += 1
        if self.is_away:
            raise DependencyError("away")
        full_at = self.chats.get((session_id, recipient), 0) if asked.recipient else 0
        there = replace(self.sessions.get(session_id, Levels()), recipient_full_at=full_at)
        reserved = reserve(asked, there.joined(known), self.now_ms)
        self.sessions[session_id] = reserved.levels
        if asked.recipient is not None:
            self.chats[session_id, recipient] = reserved.levels.recipient_full_at
        return reserved

    def flush(self) -> None:
        """Lose everything."""
        self.sessions.clear()
        self.chats.clear()


class CountingObserver(PacingObserver):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.held: list[tuple[str, float]] = []
        self.refused: list[str] = []
        self.alone = 0

    def message_held(self, part: str, seconds: float) -> None:
        """Keep it."""
        self.held.append((part, seconds))

    def message_refused(self, part: str) -> None:
        """Keep it."""
        self.refused.append(part)

    def paced_alone(self) -> None:
        """Count it."""
        self.alone += 1
