"""Messages that arrived at a former owner of a session, recorded by its present one."""

from gateway_contracts import (
    MessageReceipt,
    MessageReceived,
    MessageSent,
    MessageUndecryptable,
    parse_event,
)
from gateway_worker.sessions.changes import Change, Direction, MessageRow, ReceiptRow


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
