"""From the spool to the worker: records become frames, acknowledgements free the spool."""

from collections.abc import Callable, Iterable

from neonize.proto.Neonize_pb2 import Message as MessageEvent
from neonize.proto.Neonize_pb2 import Receipt as ReceiptEvent
from neonize.proto.Neonize_pb2 import UndecryptableMessage

from gateway_worker.host_protocol.spool_format import Record
from gateway_worker.whatsapp.convert.message import message
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.receipt import receipt
from gateway_worker.whatsapp.convert.salvage import salvaged, unreadable
from gateway_worker.whatsapp.convert.undecryptable import old_counter, undecryptable
from gateway_worker.whatsapp.host.events import (
    MESSAGE,
    OFFLINE_FLAG,
    RECEIPT,
    SWALLOWED,
    UNDECRYPTABLE,
)
from gateway_worker.whatsapp.host.quarantine import Quarantine
from gateway_worker.whatsapp.host.spool import Spool
from gateway_worker.whatsapp.ipc.frames import FromHost, Message, Notice, Receipt, Undecryptable


class Shipper:
    """Sends records in order, a limited number ahead of their acknowledgements.

    Args:
        spool: Where the records are.
        people: Who is who.
        send: Sends a frame to the worker.
        in_flight: How many records may wait for their acknowledgement.
        quarantine: Keeps what cannot be told as it is.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        people: People,
        send: Callable[[FromHost], None],
        in_flight: int,
        quarantine: Quarantine,
    ) -> None:
        self._spool = spool
        self._quarantine = quarantine
        self._people = people
        self._send = send
        self._in_flight = in_flight
        # Numbers that the worker has and has not acknowledged, in order.
        self._open: dict[int, None] = {}
        self._read = 0
        self._forgotten = 0

    def ship(self) -> None:
        """Send what there is and what the worker has room for.

        Raises:
            OSError: The worker is gone.
        """
        while len(self._open) < self._in_flight:
            record = self._spool.read()
            if record is None:
                return
            self._read = record.number
            if self._ship(record):
                self._open[record.number] = None
            else:
                self._forget()

    def acknowledge(self, number: int, beyond: Iterable[int] = ()) -> None:
        """Take the worker's word that it needs nothing up to this number any more.

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

    def _ship(self, record: Record) -> bool:
        """Send a record; False if there is nothing in it for the worker.

        One that cannot be told as it is is told in part, and kept aside.
        """
        try:
            frame = self._frame(record)
            if frame is None:
                return False
            self._send(frame)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - one bad record must not hold up the rest
            return self._ship_in_part(record, type(error).__name__)
        if getattr(frame, "partial", False):
            self._set_aside(record, "it does not fit")
        return True

    def _ship_in_part(self, record: Record, reason: str) -> bool:
        self._set_aside(record, reason)
        if record.code == RECEIPT:
            return False  # whose, and for what, is what it would have said
        frame: FromHost | None = unreadable(record.payload, record=record.number)
        if record.code == MESSAGE:
            frame = salvaged(
                record.payload,
                parse=MessageEvent.FromString,
                record=record.number,
                offline=bool(record.flags & OFFLINE_FLAG),
                people=self._people,
            )
        if frame is None:
            return False
        self._send(frame)
        return True

    def _set_aside(self, record: Record, reason: str) -> None:
        kept = "kept aside" if self._quarantine.keep(record) else "not kept, the disk is full"
        detail = f"record {record.number} of kind {record.code}: {reason}; {kept}"
        self._send(Notice(event="record_partial", detail=detail))

    def _frame(self, record: Record) -> Message | Receipt | Undecryptable | None:
        number, people = record.number, self._people
        if record.code == MESSAGE:
            return message(
                MessageEvent.FromString(record.payload),
                record=number,
                offline=bool(record.flags & OFFLINE_FLAG),
                people=people,
            )
        if record.code == RECEIPT:
            return receipt(ReceiptEvent.FromString(record.payload), record=number, people=people)
        if record.code == UNDECRYPTABLE:
            event = UndecryptableMessage.FromString(record.payload)
            return undecryptable(event, record=number, people=people)
        if record.code == SWALLOWED:
            return old_counter(record.payload, record=number, people=people)
        return None
