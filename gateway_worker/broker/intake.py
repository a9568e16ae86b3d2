"""Reads slowly while large commands fill the memory: the broker keeps what is not read.

AMQP bounds what is handed out by number; a prefetch in bytes is in the protocol, and RabbitMQ
refuses it. The number has to be large while much waits (`Prefetch`), so that far more can come in
one go than may be held. But a broker can hand out no more than is read from the socket.

Nothing is refused here, and nothing stops. What has come from a queue may only be looked at once
the rest has (`redelivery_buffer`), and a broker that is heard no more is given up, which counts a
delivery for all that is unsettled. First it is only slowed down, for what the broker answers comes
in the same turn, and a session that is taken over, whose commands then need wait no more, needs
such an answer. If that does not help, as when the database is away, next to nothing is read.
"""

import asyncio
from typing import Final

import structlog

log = structlog.get_logger(__name__)

SMALL_BYTES: Final = 4_096
"""A text, a query: bodies of this size are bounded by their number."""
SLOW_SECONDS: Final = 0.1
"""The pause before the next 64 KiB at first: what is in the socket before an answer is read in
time."""
SLOWEST_SECONDS: Final = 2.0
"""The pause later on: a frame, which has 128 KiB at most, still comes within a heartbeat."""
_STEP_SECONDS: Final = 0.05


class Intake:
    """Counts the large bodies in memory, and says how long to wait before more are read.

    Args:
        most_bytes: How much the bodies of waiting commands may take. From half as much again on
            reading is slow, and from twice as much on it is slowest.

    Attributes:
        held_bytes: What the bodies in memory take that have more than `SMALL_BYTES`.
        is_slow: Whether reading pauses: what the broker says comes late then, for it comes in turn.
    """

    def __init__(self, *, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._free_bytes = most_bytes + most_bytes // 2
        self.is_slow = False
        self.held_bytes = 0

    @property
    def is_slowest(self) -> bool:
        """Whether next to nothing is read."""
        return self.held_bytes > 2 * self._most_bytes

    @property
    def pause_seconds(self) -> float:
        """How long to wait now before more is read."""
        if self.held_bytes <= self._free_bytes:
            return 0.0
        return SLOWEST_SECONDS if self.is_slowest else SLOW_SECONDS

    def hold(self, size_bytes: int) -> None:
        """Count a body that is in memory now."""
        if size_bytes > SMALL_BYTES:
            self.held_bytes += size_bytes
            if self.held_bytes > self._free_bytes and not self.is_slow:
                self.is_slow = True
                log.warning("broker.reading_slowly", held_bytes=self.held_bytes)

    def release(self, size_bytes: int) -> None:
        """Count a body no more."""
        if size_bytes > SMALL_BYTES:
            self.held_bytes -= size_bytes
            if self.is_slow and self.held_bytes <= self._most_bytes:
                self.is_slow = False
                log.info("broker.reading_again", held_bytes=self.held_bytes)

    async def pause(self) -> None:
        """Wait for as long as there should be a pause, or until there is room again."""
        waited = 0.0
        while waited < self.pause_seconds:
            await asyncio.sleep(_STEP_SECONDS)
            waited += _STEP_SECONDS
