"""Each receipt of a message that a command has sent names that command."""

from collections.abc import Iterator

from gateway_worker.devkit.chaos.audit.verdict import Breach, Offence
from gateway_worker.devkit.chaos.history import History, Kind


def judge_receipts(history: History) -> Iterator[Offence]:
    """Name the receipts that do not, whichever of the two was told first."""
    sent = {
        (told.session_id, told.message_id): told.command_id
        for told in history.events_seen
        if told.kind in {Kind.SUCCEEDED, Kind.RESOLVED} and told.message_id
    }
    for told in history.events_seen:
        command_id = sent.get((told.session_id, told.message_id))
        if told.kind is Kind.RECEIPT and command_id not in (None, told.command_id):
            yield Offence(
                breach=Breach.RECEIPT_NAMELESS,
                session_id=told.session_id,
                identity=told.message_id,
                detail=f"it names {told.command_id or 'no command'}, not {command_id}",
            )
