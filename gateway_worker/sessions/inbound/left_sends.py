"""What a session's directory says of its last sends, told to the session's present owner."""

from pathlib import Path

import structlog

from gateway_worker.sessions.found_sends import FoundSend, UncertainSends, encode_found
from gateway_worker.sessions.peer_messages import (
    MOST_EVENTS,
    PeerMessage,
    PeerMessageKind,
    PeerMessages,
)
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.sessions.send_journal import SendJournals

log = structlog.get_logger(__name__)


class LeftSends:
    """Tells owners of sends whose end nobody knows but this worker's disk.

    Args:
        worker_id: This worker, whose hosts have kept the journals.
        journals: Tell what became of sends.
        uncertain: Tells which ends are not known.
        peer_messages: Leads to the owners.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        journals: SendJournals,
        uncertain: UncertainSends,
        peer_messages: PeerMessages,
    ) -> None:
        self._worker_id = worker_id
        self._journals = journals
        self._uncertain = uncertain
        self._peer_messages = peer_messages

    async def tell(self, row: SessionRow, directory: Path, *, epoch: int) -> None:
        """Tell a session's owner which messages its uncertain commands have sent.

        Args:
            row: The session, which another worker has.
            directory: Its directory here.
            epoch: Under which it was here.

        Raises:
            DependencyError: That cannot be found out, or told, now.
        """
        found = await self.find(row.session_id, directory, epoch=epoch)
        if not found:
            return
        body = PeerMessage(
            kind=PeerMessageKind.FOUND,
            session_id=row.session_id,
            epoch=row.epoch,
            events=[encode_found(send) for send in found[:MOST_EVENTS]],
        ).encode()
        await self._peer_messages.send_peer_message(
            PeerMessageKind.FOUND, worker_id=row.worker_id or "", body=body
        )
        log.info("orphan_spools.sends_told", session_id=row.session_id, sends=len(found))

    async def find(self, session_id: str, directory: Path, *, epoch: int) -> list[FoundSend]:
        """Return which messages a session's uncertain commands have sent, as its directory says.

        Args:
            session_id: The session.
            directory: Its directory here.
            epoch: Under which it was here.

        Raises:
            DependencyError: Which commands these are cannot be found out now.
        """
        found = []
        for command_id in await self._uncertain.without_message(session_id):
            trace = await self._journals.look_up(
                directory, command_id, worker_id=self._worker_id, epoch=epoch
            )
            if (send := FoundSend.of(command_id, trace)) is not None:
                found.append(send)
        return found
