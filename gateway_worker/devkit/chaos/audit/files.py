"""The files of messages: each is told of once, and is what was sent, on both sides."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from gateway_worker.devkit.chaos.audit.verdict import Breach, Files, Offence
from gateway_worker.devkit.chaos.history import EventSeen, History, Kind, SentByPhone

_ENDS = frozenset({Kind.FILE_READY, Kind.FILE_FAILED})
_Key = tuple[str, str]


def judge_files(history: History) -> Files:
    """Look at the file of every message that has arrived, and at those on the phones."""
    ends: dict[_Key, list[EventSeen]] = defaultdict(list)
    arrived: set[_Key] = set()
    for told in history.events_seen:
        key = (told.session_id, told.message_id)
        if told.kind in _ENDS:
            ends[key].append(told)
        elif told.kind is Kind.RECEIVED:
            arrived.add(key)
    due = [
        one
        for one in history.sent_by_phones
        if one.file is not None and (one.session_id, one.message_id) in arrived
    ]
    offences = [
        offence
        for one in due
        for offence in _against(one, ends[one.session_id, one.message_id], history)
    ]
    all_ends = [told for one in due for told in ends[one.session_id, one.message_id]]
    return Files(
        arrived=len(due),
        ready=sum(told.kind is Kind.FILE_READY for told in all_ends),
        failed=Counter(told.code for told in all_ends if told.kind is Kind.FILE_FAILED),
        offences=(*offences, *_unwritten(history, ends), *_at_phones(history)),
    )


def _against(one: SentByPhone, ends: list[EventSeen], history: History) -> Iterator[Offence]:
    if not ends:
        yield _offence(Breach.FILE_LOST, one, "neither ready nor failed")
    elif len(ends) > 1:
        yield _offence(Breach.FILE_DOUBLED, one, ", ".join(told.kind.value for told in ends))
    elif ends[0].kind is Kind.FILE_FAILED and one.file:
        yield _offence(Breach.FILE_LOST, one, f"failed: {ends[0].code}")
    elif ends[0].kind is Kind.FILE_READY:
        stored = history.objects.get(ends[0].key, "")
        if not one.file or ends[0].sha256 != one.file or stored != one.file:
            where = "in the event" if stored == one.file else "in the store"
            yield _offence(Breach.FILE_DAMAGED, one, f"another file {where}")


def _unwritten(history: History, ends: dict[_Key, list[EventSeen]]) -> Iterator[Offence]:
    """Name the files of messages that nobody has written."""
    written = {(one.session_id, one.message_id) for one in history.sent_by_phones}
    for session_id, message_id in ends.keys() - written:
        yield Offence(
            breach=Breach.FILE_DOUBLED,
            session_id=session_id,
            identity=message_id,
            detail="of a message that nobody has written",
        )


def _at_phones(history: History) -> Iterator[Offence]:
    for message in history.seen_by_phones:
        if message.damaged:
            yield Offence(
                breach=Breach.FILE_DAMAGED,
                session_id=message.session_id,
                identity=message.message_id,
                detail="another file at the phone",
            )


def _offence(breach: Breach, one: SentByPhone, detail: str) -> Offence:
    return Offence(breach=breach, session_id=one.session_id, identity=one.message_id, detail=detail)
