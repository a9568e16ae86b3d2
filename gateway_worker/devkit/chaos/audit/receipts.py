"""Receipts: each names the command that sent its message, and comes from who has the message."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from gateway_worker.devkit.chaos.audit.verdict import Breach, Offence, Receipts
from gateway_worker.devkit.chaos.history import EventSeen, History, Impact, Kind

BEFORE_SECONDS = 1.0
AFTER_SECONDS = 30.0
"""How long before and after a member has got a message a fault may be why its receipt is lost: it
is confirmed to WhatsApp before it is on the disk, and waits there while the session is away."""
ON_ITS_WAY_SECONDS = 8.0
"""A receipt may be on its way for so long: of what a member has got later, before the run ended,
nothing is expected. A run that has settled was silent for so long."""
_Key = tuple[str, str]
"""A session, and a message's id."""


def judge_receipts(history: History) -> Receipts:
    """Look at every receipt, and of what was sent to several at every member's."""
    told = [one for one in history.events_seen if one.kind is Kind.RECEIPT]
    due = _due(history)
    came = {(one.session_id, one.message_id, one.by) for one in told}
    missing = {one: at for one, at in due.items() if one not in came}
    return Receipts(
        due=len(due),
        told=len(due) - len(missing),
        offences=(
            *_nameless(history, told),
            *_strange(history, told),
            *_doubled(told),
            *_lost(history, missing),
        ),
    )


def _nameless(history: History, told: list[EventSeen]) -> Iterator[Offence]:
    """Name the receipts without their command: of a success whichever of the two was told first.

    Which message an uncertain command has sent is known from `command.resolved` on.
    """
    sent = dict[_Key, tuple[str, int]]()
    for one in history.events_seen:
        if one.kind in {Kind.SUCCEEDED, Kind.RESOLVED} and one.message_id:
            known_from = (one.sequence or 0) if one.kind is Kind.RESOLVED else 0
            sent[one.session_id, one.message_id] = (one.command_id, known_from)
    for one in told:
        command_id, known_from = sent.get((one.session_id, one.message_id), ("", 0))
        is_known = bool(command_id) and (one.sequence or 0) > known_from
        if is_known and command_id != one.command_id:
            yield Offence(
                breach=Breach.RECEIPT_NAMELESS,
                session_id=one.session_id,
                identity=one.message_id,
                detail=f"it names {one.command_id or 'no command'}, not {command_id}",
            )


def _doubled(told: list[EventSeen]) -> Iterator[Offence]:
    """Name what somebody is said to have done with a message a second time."""
    named = [one for one in told if one.who]
    counts = Counter((one.session_id, one.message_id, one.who, one.status) for one in named)
    for (session_id, message_id, _, status), count in counts.items():
        if count > 1:
            yield Offence(
                breach=Breach.RECEIPT_DOUBLED,
                session_id=session_id,
                identity=message_id,
                detail=f"{count} events: {status or 'of no kind'}",
            )


def _strange(history: History, told: list[EventSeen]) -> Iterator[Offence]:
    """Name the receipts of people to whom the message was not sent."""
    published = {one.command_id: one for one in history.published}
    for receipt in told:
        one = published.get(receipt.command_id)
        if one is None or not one.readers or not receipt.by:
            continue
        if receipt.by not in {*one.readers, *one.visitors}:
            yield Offence(
                breach=Breach.RECEIPT_STRANGE,
                session_id=receipt.session_id,
                identity=receipt.message_id,
                detail=f"it was sent to {len(one.readers)} others",
            )


def _due(history: History) -> dict[tuple[str, str, str], float]:
    """Return who has got what was sent to several who confirm it by name, and when.

    Not what came a moment ago.
    """
    readers = {
        one.text: one.readers
        for one in history.published
        if len(one.readers) > 1 and one.chat not in history.unconfirmed
    }
    due: dict[tuple[str, str, str], float] = {}
    for message in history.seen_by_phones:
        if message.at > history.ended_at - ON_ITS_WAY_SECONDS:
            continue
        if message.phone in readers.get(message.text, ()):
            due.setdefault((message.session_id, message.message_id, message.phone), message.at)
    return due


def _lost(history: History, missing: dict[tuple[str, str, str], float]) -> Iterator[Offence]:
    impacts: dict[str, list[Impact]] = defaultdict(list)
    for impact in history.impacts:
        if not impact.kind.is_harmless:
            impacts[impact.session_id].append(impact)
    for (session_id, message_id, _), at in missing.items():
        if not any(
            impact.at <= at + AFTER_SECONDS and at - BEFORE_SECONDS <= impact.until
            for impact in impacts[session_id]
        ):
            yield Offence(
                breach=Breach.RECEIPT_LOST,
                session_id=session_id,
                identity=message_id,
                detail=f"a member has it since {at:.2f}",
            )
