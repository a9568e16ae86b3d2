"""What is worth telling for a moment only: told while it is fresh, and never later."""

import msgspec
import pytest

from gateway_worker.host_protocol.envelope import FromHost, VolatileEvent
from gateway_worker.host_protocol.framing import WireError
from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.host.ignoring import IgnoredArrivals
from gateway_worker.whatsapp.host.volatile import MOST_WAITING, VolatileEvents

NOBODY = People(phone_of=lambda _lid: None)
LONG = 3600.0


def tell(record: Record, _people: People) -> tuple[Arrival | None, ...]:
    """Return what a record says; one is for nobody, and one cannot be read."""
    if record.payload == b"nobody":
        return (None,)
    return (Arrival(type="wa.x.v1", data={"text": record.payload.decode()}),)


class Worker:
    """Takes frames, but for one text."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def send(self, frame: FromHost) -> None:
        """Take a frame."""
        assert isinstance(frame, VolatileEvent)
        text = msgspec.json.decode(bytes(frame.data))["text"]
        if text == "too large":
            raise WireError(text)
        self.got.append(text)


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def events(worker: Worker) -> VolatileEvents:
    return VolatileEvents(
        people=NOBODY,
        send=worker.send,
        ignoring=IgnoredArrivals(info_class=None, source_class=None),
    )


def test_what_is_fresh_is_told_in_order(events: VolatileEvents, worker: Worker) -> None:
    """Once; what has become stale meanwhile never is."""
    for text, seconds in (("a", LONG), ("stale", 0.0), ("b", LONG)):
        events.put(tell, 19, text.encode(), seconds=seconds)
    events.send_waiting()
    events.send_waiting()

    assert worker.got == ["a", "b"]


def test_what_cannot_be_told_holds_up_nothing(events: VolatileEvents, worker: Worker) -> None:
    """Bytes that nobody can read, what is not for backends, and what fits no frame."""
    for data in (b"\xff", b"nobody", b"too large", b"a"):
        events.put(tell, 19, data, seconds=LONG)
    events.send_waiting()

    assert worker.got == ["a"]


def test_no_more_than_so_much_waits(events: VolatileEvents, worker: Worker) -> None:
    """The oldest are forgotten: a host that tells nobody does not grow."""
    for number in range(MOST_WAITING + 3):
        events.put(tell, 19, str(number).encode(), seconds=LONG)
    events.send_waiting()

    assert worker.got == [str(number) for number in range(3, MOST_WAITING + 3)]
