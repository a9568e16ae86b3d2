"""Messages that arrived at a former owner of a session, recorded by its present one."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from gateway_contracts import (
    MessageReceipt,
    MessageReceived,
    MessageSent,
    MessageUndecryptable,
    parse_event,
)
from gateway_worker.errors import PermanentError
from gateway_worker.sessions.changes import Change, Committed, Direction, MessageRow, ReceiptRow
from gateway_worker.sessions.inbound.quarantine import Quarantine, QuarantineCount

log = structlog.get_logger(__name__)


def forwarded_change(event: bytes, *, session_id: str, epoch: int) -> Change:
    """Return the change for a message or receipt as a former owner has announced it.

    One that is in the history already changes nothing: see `Change`.

    Raises:
        ValueError: It is no such event, or one of another session.
    """
    parsed = parse_event(event)
    if parsed.subject != session_id:
        raise ValueError("it is about another session")
    if isinstance(parsed, MessageReceipt):
        receipt = ReceiptRow(
            chat=parsed.data.chat,
            message_id=parsed.data.message_id,
            participant=parsed.data.participant.jid,
            participant_lid=parsed.data.participant.lid,
            status=parsed.data.status,
            timestamp=parsed.data.timestamp,
        )
        return Change(session_id=session_id, epoch=epoch, events=(parsed,), receipt=receipt)
    if isinstance(parsed, MessageUndecryptable):
        return Change(session_id=session_id, epoch=epoch, events=(parsed,))
    if not isinstance(parsed, MessageReceived | MessageSent):
        raise ValueError("no arrival")  # noqa: TRY004 - the type is right, the event is not
    data = parsed.data
    return Change(
        session_id=session_id,
        epoch=epoch,
        events=(parsed,),
        message=MessageRow(
            chat=data.chat,
            message_id=data.message_id,
            direction=Direction.IN if isinstance(parsed, MessageReceived) else Direction.OUT,
            sender=data.sender.jid,
            sender_lid=data.sender.lid,
            content=data.content,
            timestamp=data.timestamp,
        ),
    )


class ForwardedArrivals:
    """Records what former owners of a session have sent on.

    Args:
        session_id: Whose arrivals they are.
        epoch: Under which the session is owned here.
        record: Queues a change.
        quarantine: Keeps what the database refuses.
        quarantined: Counts that.
    """

    def __init__(
        self,
        *,
        session_id: str,
        epoch: int,
        record: Callable[[Change], "asyncio.Future[Committed]"],
        quarantine: Quarantine,
        quarantined: QuarantineCount,
    ) -> None:
        self._session_id = session_id
        self._epoch = epoch
        self._record = record
        self._quarantine = quarantine
        self._quarantined = quarantined

    async def record(self, events: Sequence[bytes]) -> bool:
        """Record them; False if another worker has the session now.

        Raises:
            ValueError: One of them is no arrival; nothing is recorded.
        """
        changes = [
            forwarded_change(event, session_id=self._session_id, epoch=self._epoch)
            for event in events
        ]
        for change in changes:
            try:
                if (await self._record(change)).fenced:
                    return False
            except PermanentError as error:  # told again later, as if it had arrived here
                ids = [event.id for event in change.events]
                log.error(  # noqa: TRY400 - its traceback says nothing of the row
                    "inbound.quarantined",
                    session_id=self._session_id,
                    events=ids,
                    reason=type(error).__name__,
                )
                await asyncio.to_thread(self._quarantine.keep, change)
                self._quarantined.note()
        return True
