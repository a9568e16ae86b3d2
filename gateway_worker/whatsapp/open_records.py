"""The spooled records that a host has told of and that are not acknowledged yet."""

import asyncio
from collections.abc import Callable
from typing import Final

from gateway_worker.host_protocol.envelope import Ack, Event

ACK_SECONDS: Final = 0.5
ACK_EVERY: Final = 64
"""Acknowledgements are told after so long, or when there are so many."""


class OpenRecords:
    """Those of one host. Acknowledgements of a moment become one frame.

    Each frame wakes the host, and nothing is lost by being late: what a crash brings again is
    recognised.

    Args:
        send: Sends a frame to the host.
        in_flight: How many records the host may have told of.

    Attributes:
        size_bytes: Of their events, together.
    """

    def __init__(self, *, send: Callable[[Ack], None], in_flight: int) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        # The size of each that was told and is needed, in order; those acknowledged since the last
        # frame.
        self._open: dict[int, int] = {}
        self._settled: list[int] = []
        self._told = 0
        self._every = max(1, min(ACK_EVERY, in_flight // 4))
        self._due: asyncio.TimerHandle | None = None
        self.size_bytes = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._open)

    def told(self, event: Event) -> None:
        """Note an event of a record."""
        size = len(memoryview(event.data))
        self._told = event.record
        self._open[event.record] = self._open.get(event.record, 0) + size
        self.size_bytes += size

    def acknowledge(self, record: int, *, at_once: bool) -> None:
        """Let the host forget a record, soon or at once; what was never told cannot be."""
        size = self._open.pop(record, None)
        if size is None:
            return
        self.size_bytes -= size
        self._settled.append(record)
        at_once = at_once or len(self._settled) >= self._every
        if at_once:
            self._cancel()
        if self._due is None:
            self._due = self._loop.call_later(0 if at_once else ACK_SECONDS, self._tell)

    def flush(self) -> None:
        """Tell what is to be told now."""
        if self._due is not None:
            self._cancel()
            self._tell()

    def _cancel(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _tell(self) -> None:
        self._due = None
        settled, self._settled = self._settled, []
        up_to = next(iter(self._open)) - 1 if self._open else self._told
        beyond = tuple(record for record in settled if record > up_to)
        self._send(Ack(record=up_to, beyond=beyond))
