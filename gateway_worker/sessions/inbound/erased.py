"""Pages of a history without people who were erased: what a phone tells of before stays erased."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from gateway_contracts import HistoryMessagesData
from gateway_contracts.events.history import HistoryMessage


def ids_in(data: HistoryMessagesData) -> frozenset[str]:
    """Return all ids that a page has chats and writers under."""
    people = [(data.chat, data.chat_lid)]
    people += [(message.sender.jid, message.sender.lid) for message in data.messages]
    return frozenset(one for ids in people for one in ids if one is not None)


def without_erased(
    data: HistoryMessagesData, erased: Mapping[str, datetime]
) -> HistoryMessagesData | None:
    """Leave out of a page what was written by people, or to them, before they were erased.

    Args:
        data: The page.
        erased: When the people were erased, by each of their ids.

    Returns:
        The page itself if there is nothing to leave out; None if nothing is left to tell.
    """
    if not erased:
        return data
    chat_at = _newest(erased, (data.chat, data.chat_lid))
    messages = tuple(one for one in data.messages if not _is_erased(one, chat_at, erased))
    if messages or chat_at is None:
        return data.model_copy(update={"messages": messages})
    if not data.finished:
        return None
    return HistoryMessagesData(kind=data.kind, progress=data.progress, finished=True)


def _is_erased(
    message: HistoryMessage, chat_at: datetime | None, erased: Mapping[str, datetime]
) -> bool:
    writer_at = _newest(erased, (message.sender.jid, message.sender.lid))
    return any(at is not None and message.timestamp <= at for at in (chat_at, writer_at))


def _newest(erased: Mapping[str, datetime], ids: Sequence[str | None]) -> datetime | None:
    return max((erased[one] for one in ids if one is not None and one in erased), default=None)
