"""What is worth telling at once or never: kept in memory for a moment, and told while it is fresh.

The library's threads put it here and the loop takes it. It goes ahead of what is in the spool, so
that "is typing" comes before the message.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway_worker.host_protocol.envelope import FromHost, VolatileEvent
from gateway_worker.host_protocol.framing import WireError
from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert.arrival import Arrival, Tell
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.host.ignoring import IgnoredArrivals

MOST_WAITING: Final = 64
"""What comes beyond that takes the place of the oldest."""
_ENCODER: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    tell: Tell
    record: Record
    good_until: float


class VolatileEvents:
    """The volatile events of one host.

    Args:
        people: Who is who.
        send: Sends a frame to the worker. Raises `WireError` if it cannot be written.
        ignoring: Says what is not for backends.
    """

    def __init__(
        self, *, people: People, send: Callable[[FromHost], None], ignoring: IgnoredArrivals
    ) -> None:
        self._people = people
        self._ignoring = ignoring
        self._send = send
        self._waiting: deque[_Waiting] = deque(maxlen=MOST_WAITING)

    def put(self, tell: Tell, code: int, data: bytes, *, seconds: float) -> None:
        """Keep an event for a while. From any thread.

        Args:
            tell: What it tells.
            code: The library's number of it.
            data: The event as the library wrote it.
            seconds: How long it is fresh.
        """
        record = Record(number=0, code=code, flags=0, payload=data)
        until = time.monotonic() + seconds
        self._waiting.append(_Waiting(tell=tell, record=record, good_until=until))

    def send_waiting(self) -> None:
        """Tell what is fresh and forget the rest.

        Raises:
            OSError: The worker is gone.
        """
        while self._waiting:
            one = self._waiting.popleft()
            if time.monotonic() < one.good_until:
                for arrival in self._arrivals(one):
                    self._tell(arrival, one.good_until)

    def _arrivals(self, one: _Waiting) -> tuple[Arrival, ...]:
        """Return what an event tells; nothing if it cannot be read: it is of no use later."""
        try:
            found = one.tell(one.record, self._people)
        except Exception:  # noqa: BLE001 - a stranger's bytes must not end the host
            return ()
        return tuple(one for one in found if one is not None and not self._ignoring.takes_told(one))

    def _tell(self, arrival: Arrival, good_until: float) -> None:
        try:
            data = msgspec.Raw(_ENCODER.encode(arrival.data))
            self._send(VolatileEvent(type=arrival.type, data=data, good_until=good_until))
        except (ValueError, WireError):  # it has text that cannot be written
            return
