"""Each receipt of a message that a command has sent names that command, if it was known by then."""

from collections.abc import Iterator

from gateway_worker.devkit.chaos.audit.verdict import Breach, Offence
from gateway_worker.devkit.chaos.history import History, Kind


def judge_receipts(history: History) -> Iterator[Offence]:
    """Name the receipts that do not: of a success whichever of the two was told first.

    Which message an uncertain command has sent is known from `command.resolved` on.
    """
    sent = dict[tuple[str, str], tuple[str, int]]()
    for told in history.events_seen:
        if told.kind in {Kind.SUCCEEDED, Kind.RESOLVED} and told.message_id:
            known_from = (told.sequence or 0) if told.kind is Kind.RESOLVED else 0
            sent[told.session_id, told.message_id] = (told.command_id, known_from)
    for told in history.events_seen:
        command_id, known_from = sent.get((told.session_id, told.message_id), ("", 0))
        is_known = bool(command_id) and (told.sequence or 0) > known_from
        if told.kind is Kind.RECEIPT and is_known and command_id != told.command_id:
            yield Offence(
                breach=Breach.RECEIPT_NAMELESS,
                session_id=told.session_id,
                identity=told.message_id,
                detail=f"it names {told.command_id or 'no command'}, not {command_id}",
            )
