"""The sessions of this worker, as whoever fetches their files sees them."""

import asyncio
from collections.abc import Collection

from gateway_contracts import MediaFailed, MediaReady
from gateway_worker.media.arriving.records import MediaUpdate
from gateway_worker.sessions.changes import Change
from gateway_worker.sessions.ownership.registry import SessionRegistry


class MediaOwner:
    """Says whose files are fetched here, and commits what became of them.

    Args:
        registry: The sessions.
    """

    def __init__(self, *, registry: SessionRegistry) -> None:
        self._registry = registry

    def owned(self) -> Collection[str]:
        """Return the ids of the sessions that this worker owns."""
        return [each.session_id for each in self._registry.sessions() if not each.fenced]

    def epoch_of(self, session_id: str) -> int | None:
        """Return under which epoch it owns one, None if it does not."""
        return self._registry.epoch_of(session_id)

    async def record(
        self, session_id: str, event: MediaReady | MediaFailed, update: MediaUpdate
    ) -> bool:
        """Commit what became of a file; False if the session is not this worker's any more."""
        session = self._registry.held_session(session_id)
        if session is None:
            return False
        recorded = session.record(
            Change(
                session_id=session_id,
                epoch=session.epoch,
                events=(event,),
                media_update=update,
            )
        )
        await asyncio.wait((recorded,))  # the recorder cancels it when the worker stops
        return not recorded.cancelled() and not recorded.result().fenced
