"""Messages that WhatsApp has taken and that nobody has confirmed for long: each is told once.

They are found in the order in which they were stored. How far that has come is written together
with what is told, so that neither a restart nor another worker tells it again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway_contracts import MessageFailed, MessageFailedData, MessageFailureReason
from gateway_worker.analytics.ports import AnalyticsStore, SentPlace, Unconfirmed
from gateway_worker.analytics.reviewed import ReviewedSession, Standing
from gateway_worker.errors import PermanentError
from gateway_worker.sessions.changes import Change, Review, source_of
from gateway_worker.sessions.chats import without_device

log = structlog.get_logger(__name__)

_LOOKED_AT: Final = 500
_NOTED: Final = timedelta(hours=1)
"""So far a look may get without anything to tell before that is written: what is looked at twice
after a restart costs little, and each note is a transaction."""


class UndeliveredWatch:
    """Tells of messages that are not delivered after a while.

    Args:
        worker_id: The source of what is told.
        store: Finds them.
        after_seconds: How long that is; 0: never.
    """

    def __init__(self, *, worker_id: str, store: AnalyticsStore, after_seconds: float) -> None:
        self._source = source_of(worker_id)
        self._store = store
        self._after = timedelta(seconds=after_seconds)

    async def look(self, session: ReviewedSession, standing: Standing, now: datetime) -> None:
        """Tell what has become due; the rest of a backlog is left to the next look.

        Raises:
            DependencyError: It is not known what was told; the next look finds out.
        """
        if not self._after:
            return
        until = now - self._after
        if standing.unconfirmed is None:  # what was sent before anybody looked is not told
            await self._note(session, standing, SentPlace(until, "", ""))
            return
        found, place = await self._store.unconfirmed(
            session.session_id, after=standing.unconfirmed, until=until, limit=_LOOKED_AT
        )
        own = _own_chats(session)
        due = [one for one in found if one.place.chat not in own]
        if not await self._tell(session, standing, due):
            return
        standing.unconfirmed = max(standing.unconfirmed, place)
        last = due[-1].place if due else standing.noted
        if last is None or place.stored_at - last.stored_at >= _NOTED:
            await self._note(session, standing, place)
        else:
            standing.noted = last

    async def _tell(
        self, session: ReviewedSession, standing: Standing, due: Sequence[Unconfirmed]
    ) -> bool:
        """Tell of messages, and note each that is told; False if another worker has the session."""
        told = [session.record(self._change(session, one)) for one in due]
        for one, future in zip(due, told, strict=True):
            try:
                if (await future).fenced:
                    return False
            except PermanentError:  # it would be refused each time, and hold up those after it
                log.exception("undelivered.not_told", session_id=session.session_id)
            assert standing.unconfirmed is not None
            standing.unconfirmed = max(standing.unconfirmed, one.place)
        return True

    async def _note(self, session: ReviewedSession, standing: Standing, place: SentPlace) -> None:
        change = Change(
            session_id=session.session_id, epoch=session.epoch, review=Review(unconfirmed=place)
        )
        if not (await session.record(change)).fenced:
            standing.unconfirmed = standing.noted = place

    def _change(self, session: ReviewedSession, one: Unconfirmed) -> Change:
        event = MessageFailed(
            source=self._source,
            subject=session.session_id,
            correlationid=one.command_id,
            data=MessageFailedData(
                message_id=one.place.message_id,
                chat=one.place.chat,
                reason=MessageFailureReason.UNDELIVERED,
                sent_at=one.timestamp,
                client_ref=one.client_ref,
            ),
        )
        return Change(
            session_id=session.session_id,
            epoch=session.epoch,
            events=(event,),
            review=Review(unconfirmed=one.place),
        )


def _own_chats(session: ReviewedSession) -> set[str]:
    """Return the chat with oneself: who writes there gets no receipt."""
    account = session.account
    ids = () if account is None else (account.jid, account.lid or "")
    return {without_device(one) for one in ids}
