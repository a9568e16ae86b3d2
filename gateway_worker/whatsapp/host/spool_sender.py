"""From the spool to the worker: records become events, acknowledgements free the spool."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from gateway_worker.host_protocol.envelope import Event, FromHost, Notice
from gateway_worker.host_protocol.framing import WireError
from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert.arrival import Arrival, unreadable
from gateway_worker.whatsapp.convert.opening import SecretsOf
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.host.arriving import ARRIVING
from gateway_worker.whatsapp.host.arriving.event import identified
from gateway_worker.whatsapp.host.arriving.message import tell_opened
from gateway_worker.whatsapp.host.ignoring import IgnoredArrivals
from gateway_worker.whatsapp.host.quarantine import Quarantine
from gateway_worker.whatsapp.host.spool import Spool

_ENCODER: Final = msgspec.json.Encoder()

OpenVote = Callable[[bytes], Sequence[bytes] | None]


class SpoolSender:
    """Sends records in order, a limited number ahead of their acknowledgements.

    Args:
        spool: Where the records are.
        people: Who is who.
        send: Sends a frame to the worker. Raises `WireError` if it cannot be written.
        in_flight: How many records may wait for their acknowledgement.
        quarantine: Keeps what cannot be told as it is.
        open_vote: Returns the hashes of what is chosen in a vote, from the library's bytes of its
            event; None if that cannot be told.
        secrets_of: Returns the secrets of messages, which open what is about them.
        ignoring: Says what is not for backends.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        people: People,
        send: Callable[[FromHost], None],
        in_flight: int,
        quarantine: Quarantine,
        open_vote: OpenVote,
        secrets_of: SecretsOf,
        ignoring: IgnoredArrivals,
    ) -> None:
        self._spool = spool
        self._open_vote = open_vote
        self._secrets_of = secrets_of
        self._ignoring = ignoring
        self._quarantine = quarantine
        self._people = people
        self._send = send
        self._in_flight = in_flight
        # Numbers that the worker has and has not acknowledged, in order.
        self._open: dict[int, None] = {}
        self._read = 0
        self._forgotten = 0

    def send_waiting(self) -> None:
        """Send what there is and what the worker has room for.

        Raises:
            OSError: The worker is gone.
        """
        while len(self._open) < self._in_flight:
            record = self._spool.read()
            if record is None:
                return
            self._read = record.number
            arrivals = self._arrivals(record)
            if arrivals:
                self._open[record.number] = None
                self._send_all(record, arrivals)
            else:  # there is nothing in it for backends, or it is kept aside
                self._forget()

    def acknowledge(self, number: int, beyond: Iterable[int] = ()) -> None:
        """Note that the worker needs nothing up to this number any more.

        Args:
            number: The last of those that are not needed, all before it included.
            beyond: More of them, with others in between that are still needed.
        """
        for one in beyond:
            self._open.pop(one, None)
        while self._open and (oldest := next(iter(self._open))) <= number:
            del self._open[oldest]
        self._forget()

    def _forget(self) -> None:
        """Free what stands before everything that is still needed."""
        settled = next(iter(self._open)) - 1 if self._open else self._read
        if settled > self._forgotten:
            self._forgotten = settled
            self._spool.acknowledge(settled)

    def _arrivals(self, record: Record) -> tuple[Arrival, ...]:
        """Return what a record tells; what cannot be told as it is, is kept aside as well."""
        event = ARRIVING.get(record.code)
        if event is None:  # of a later release, which was here before
            self._set_aside(record, "its kind is not known")
            return (unreadable(record.payload),)
        try:
            found = event.tell(record, self._people)
            if event.identity is not None:
                found = tuple(identified(found, record, event.identity))
        except Exception as error:  # noqa: BLE001 - one bad record must not hold up the rest
            self._set_aside(record, type(error).__name__)
            return self._wanted(event.salvage(record, self._people))
        arrivals = tuple(self._opened(record, one) for one in self._wanted(found))
        if any(arrival.is_partial for arrival in arrivals):
            self._set_aside(record, "it does not fit")
        return arrivals

    def _opened(self, record: Record, arrival: Arrival) -> Arrival:
        """Return what an arrival says with the secret of another message, if it needs one."""
        if not arrival.is_sealed:
            return arrival
        if arrival.is_vote:
            return arrival.opened(self._open_vote(record.payload))
        try:
            return tell_opened(record, self._people, self._secrets_of) or arrival
        except Exception as error:  # noqa: BLE001 - it is told by its name then
            self._set_aside(record, type(error).__name__)
            return arrival

    def _wanted(self, arrivals: Iterable[Arrival | None]) -> tuple[Arrival, ...]:
        """Return what is for backends."""
        return tuple(
            one for one in arrivals if one is not None and not self._ignoring.takes_told(one)
        )

    def _send_all(self, record: Record, arrivals: tuple[Arrival, ...]) -> None:
        """Send the events of a record; one that no frame takes is told without its content."""
        last = len(arrivals) - 1
        for part, arrival in enumerate(arrivals):
            try:
                self._send(_event(record, part, arrival, is_last=part == last))
            except WireError as error:
                self._set_aside(record, str(error))
                less = arrival.without_content() or unreadable(record.payload)
                self._send(_event(record, part, less, is_last=part == last))

    def _set_aside(self, record: Record, reason: str) -> None:
        kept = "kept aside" if self._quarantine.keep(record) else "not kept, the disk is full"
        detail = f"record {record.number} of kind {record.code}: {reason}; {kept}"
        self._send(Notice(event="record_partial", detail=detail))


def _event(record: Record, part: int, arrival: Arrival, *, is_last: bool) -> Event:
    try:
        data = _ENCODER.encode(arrival.data)
    except ValueError as error:  # its text may be private
        raise WireError(f"an event cannot be written: {type(error).__name__}") from None
    return Event(
        record=record.number,
        part=part,
        last=is_last,
        type=arrival.type,
        data=msgspec.Raw(data),
        media=arrival.media,
        identity=arrival.identity,
    )
