"""What is counted and traced of sessions, as small protocols; `app.py` joins the adapters."""

from typing import Protocol

from gateway_contracts import StatusReason


class SessionObserver(Protocol):
    """Counts what happens to sessions. Cheap; never raises."""

    def host_restarted(self) -> None:
        """A host has died and is started again."""
        ...

    def host_exited(self, *, expected: bool) -> None:
        """A host has ended, because it was told to or not."""
        ...

    def disconnected(self, reason: StatusReason) -> None:
        """A connection, or a pairing, has ended for a reason of WhatsApp's or the network's."""
        ...

    def library_stopped(self) -> None:
        """The library has given a connection up over something that it does not know."""
        ...

    def link_restored(self) -> None:
        """A connection to WhatsApp that was lost stands again."""
        ...

    def message_arrived(self) -> None:
        """A message came from WhatsApp."""
        ...

    def message_confirmed(self, seconds: float) -> None:
        """The first receipt of a message that was sent has come, so long after WhatsApp took it."""
        ...

    def reachout_refused(self) -> None:
        """WhatsApp has refused a new chat of an account (463)."""
        ...

    def arrival_unsupported(self) -> None:
        """A host has told what does not fit the contract; it is announced as `unsupported`."""
        ...

    def call_rejected(self, *, has_left: bool) -> None:
        """A call was to be refused; says whether the refusal has left."""
        ...

    def notice_dropped(self) -> None:
        """A notice that is worth something for a moment only was not told: it came too late."""
        ...


class ReceiptSpan(Protocol):
    """The span of a receipt that is being recorded."""

    @property
    def traceparent(self) -> str:
        """What the event that tells of it continues."""
        ...

    def end(self) -> None:
        """Note that it is recorded; one that does not end was never there."""
        ...


class ReceiptTracing(Protocol):
    """Traces receipts."""

    def receipt(self, traceparent: str, *, status: str, message_id: str) -> ReceiptSpan | None:
        """Begin the span of a receipt; None if its trace is not recorded.

        Args:
            traceparent: That of the send.
            status: How far the message has got.
            message_id: Which one, as WhatsApp calls it.
        """
        ...
