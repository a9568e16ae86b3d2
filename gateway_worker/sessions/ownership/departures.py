"""How sessions leave this worker: given away, lost to another worker, or deleted."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from gateway_worker.errors import GatewayError
from gateway_worker.runtime.background import Background
from gateway_worker.runtime.retry import until_answered
from gateway_worker.sessions.ownership.rebinding import Rebinder
from gateway_worker.sessions.ownership.registry import SessionRegistry
from gateway_worker.sessions.peer_messages import PeerMessage, PeerMessageKind, PeerMessages
from gateway_worker.sessions.session.session import Session

log = structlog.get_logger(__name__)

_ANNOUNCE_SECONDS = 5.0

Clear = Callable[[str, int | None], Awaitable[None]]
"""Clears what a session that another worker has leaves on this disk, once its host is gone; gets
the epoch of its store too, if that has been copied as it is."""


class Departures:
    """The ways in which sessions leave this worker.

    Args:
        registry: The sessions that are here.
        rebinder: Stops routing their commands here.
        peer_messages: Tells other workers of sessions that go to them.
        background: Ends what they still have here.
        clear: See `Clear`.

    Attributes:
        handed_over: How many sessions were given to other workers in good order.
    """

    def __init__(
        self,
        *,
        registry: SessionRegistry,
        rebinder: Rebinder,
        peer_messages: PeerMessages,
        background: Background,
        clear: Clear,
    ) -> None:
        self._registry = registry
        self._rebinder = rebinder
        self._peer_messages = peer_messages
        self._background = background
        self._clear = clear
        self._listeners: list[Callable[[str], None]] = []
        self.handed_over = 0

    def when_left(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the id of each session that has gone to another worker."""
        self._listeners.append(listener)

    async def depart(self, session_id: str, to_worker: str) -> None:
        """Let go of a session that has been given to another worker, and notify that one."""
        session = self._registry.find(session_id)
        if session is None:
            return
        self._remove(session_id)
        self.handed_over += 1
        log.info("session.handed_over", session_id=session_id, worker=to_worker)
        try:
            await self._announce(session_id, to_worker)
        except GatewayError as error:
            log.warning("session.not_announced", session_id=session_id, reason=str(error))
            self._background.post(
                f"announce:{session_id}", lambda: self._announce_later(session_id, to_worker)
            )
        self._background.post(f"left:{session_id}", lambda: self._clean_up(session))
        self._tell_left(session_id)

    def lose(self, session: Session) -> None:
        """Let go of a session that another worker has taken; its host is stopping already."""
        if self._registry.find(session.session_id) is not session:
            return
        self._remove(session.session_id)
        self._background.post(f"lost:{session.session_id}", lambda: self._clean_up(session))
        self._tell_left(session.session_id)

    def forget(self, session: Session) -> None:
        """Drop a session that has been deleted."""
        self._remove(session.session_id)

    async def stay(self, session_id: str) -> None:
        """Go on with a session that was ready to leave."""
        session = self._registry.held_session(session_id)
        if session is not None:
            session.resume()

    def _remove(self, session_id: str) -> None:
        self._registry.remove(session_id)
        self._rebinder.release(session_id)

    def _tell_left(self, session_id: str) -> None:
        for listener in self._listeners:
            listener(session_id)

    async def _announce(self, session_id: str, to_worker: str) -> None:
        body = PeerMessage(kind=PeerMessageKind.ADOPT, session_id=session_id).encode()
        await self._peer_messages.send_peer_message(
            PeerMessageKind.ADOPT, worker_id=to_worker, body=body
        )

    async def _announce_later(self, session_id: str, to_worker: str) -> None:
        """Tell the new owner as soon as the broker is back; after a while it has found out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANNOUNCE_SECONDS):
                await until_answered(
                    lambda: self._announce(session_id, to_worker), name="session.announce"
                )

    async def _clean_up(self, session: Session) -> None:
        """End what a session still has here that another worker owns by now."""
        await session.close()
        await self._clear(session.session_id, session.epoch if session.is_quiesced else None)
