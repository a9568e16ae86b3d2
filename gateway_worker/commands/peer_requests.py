"""What other workers ask of a session's owner, and the first look at one that has come here."""

import structlog

from gateway_worker.commands.hold_back_queues import HoldBackQueues
from gateway_worker.commands.work import Work
from gateway_worker.errors import GatewayError, SessionNotFoundError
from gateway_worker.sessions.ownership.manager import OwnedElsewhereError, SessionManager
from gateway_worker.sessions.peer_messages import PeerMessage, PeerMessageKind

log = structlog.get_logger(__name__)


class PeerRequests:
    """Obeys them.

    Args:
        manager: The sessions of this worker.
        hold_back_queues: What waits for markers.
    """

    def __init__(self, *, manager: SessionManager, hold_back_queues: HoldBackQueues[Work]) -> None:
        self._manager = manager
        self._hold_back_queues = hold_back_queues

    async def obey(
        self, session_id: str, request: PeerMessage, *, is_over: bool
    ) -> list[Work] | None:
        """Do what is asked; None if this worker turns out not to be the session's owner.

        Args:
            session_id: Which session.
            request: What is asked.
            is_over: It is a marker that the database does not wait for any more.

        Returns:
            The commands whose turn it is by that, in order.

        Raises:
            GatewayError: It cannot be done now.
        """
        try:
            match request.kind:
                case PeerMessageKind.ADOPT:
                    await self._manager.adopt_given(session_id)
                case PeerMessageKind.MARKER:
                    if not is_over:
                        await self._manager.find(session_id)
                    return await self._hold_back_queues.pass_marker(session_id, request.epoch)
                case PeerMessageKind.FORWARDED:
                    if not await self._manager.record_forwarded(
                        session_id, request.events, epoch=request.epoch
                    ):
                        return None
                case PeerMessageKind.FOUND:
                    if not await self._manager.record_found(
                        session_id, request.events, epoch=request.epoch
                    ):
                        return None
        except OwnedElsewhereError:
            return None
        except SessionNotFoundError:
            log.info("control.session_gone")
        return []

    async def begin(self, session_id: str) -> bool:
        """Begin with a session of ours whose commands come before it; False if it is not ours."""
        if self._manager.registry.epoch_of(session_id) is None:
            try:
                await self._manager.find(session_id)
            except OwnedElsewhereError:
                return False
            except GatewayError as error:  # the command will be told so
                log.info("session.not_begun", reason=str(error))
        return True
