"""Finds connections that stand and over which WhatsApp sends nothing, and has them made anew.

A connection can be dead without anybody saying so: a router has forgotten it, the library has
stopped asking, the host hangs. What is certain is when the last byte came, which the kernel knows
of each host's sockets. When that is long ago WhatsApp is asked something, whose answer would be a
byte; if none comes either, another host takes the session's place.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from gateway_worker.errors import GatewayError
from gateway_worker.host_protocol.methods.method import Method, R
from gateway_worker.host_protocol.methods.session import Listen, Probe
from gateway_worker.sessions.inbound.receipts import SendsInProgress
from gateway_worker.sessions.limits import SessionLimits

log = structlog.get_logger(__name__)

_LOOKS: Final = 3
"""How often a session is looked at within the time after which it is suspicious."""
_IDLE_SECONDS: Final = 1.0
"""Until the next look when there is nothing to look at."""


class Connected(Protocol):
    """A session, as far as its connection is concerned."""

    sends: SendsInProgress

    @property
    def session_id(self) -> str:
        """Its id."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether its connection stands."""
        ...

    @property
    def host_pid(self) -> int | None:
        """Its host."""
        ...

    async def request(self, call: Method[R]) -> R:
        """Call a method of its host."""
        ...

    @property
    def retry_receipts(self) -> int:
        """How often devices have asked for messages again, as far as its hosts were heard."""
        ...

    def heard(self, seconds_ago: float | None, *, retries: int) -> None:
        """Note when WhatsApp has last sent anything, and how often it asked for messages again."""
        ...

    def connect_anew(self, detail: str) -> None:
        """Have another host connect."""
        ...


@dataclass(slots=True)
class _Connection:
    """What is known of the connection of one host.

    Attributes:
        pid: The host.
        heard: When something has come last, by the monotonic clock.
        age: How long before the last look that was.
        is_looked_at: Whether that is going on, or is over because it was given up.
    """

    pid: int
    heard: float
    age: float = 0.0
    is_looked_at: bool = False


class SilenceWatch:
    """Looks at the sessions that are connected, one after the other (a service).

    Args:
        sessions: Those that are here now.
        limits: When silence is suspicious, and how long an answer may take.

    Attributes:
        retry_receipts: How often devices have asked for messages again, over all sessions.
    """

    def __init__(
        self, *, sessions: Callable[[], Iterable[Connected]], limits: SessionLimits
    ) -> None:
        self._sessions = sessions
        self._after_seconds = limits.silence_seconds
        self._probe_seconds = limits.probe_seconds
        self._connections: dict[str, _Connection] = {}
        self._looks: set[asyncio.Task[None]] = set()
        self.retry_receipts = 0

    @property
    def longest_seconds(self) -> float:
        """For how long the most silent session had heard nothing at the last look; 0 if none."""
        return max((one.age for one in self._connections.values()), default=0.0)

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop` is set."""
        try:
            while not stop.is_set():
                await self._round(stop)
        finally:
            for look in self._looks:
                look.cancel()
            await asyncio.gather(*self._looks, return_exceptions=True)

    async def _round(self, stop: asyncio.Event) -> None:
        """Look at each session once, evenly spread: hosts that wake together cost the most."""
        sessions = self._to_look_at() if self._after_seconds else []
        pause = self._after_seconds / _LOOKS / len(sessions) if sessions else _IDLE_SECONDS
        for session in sessions:
            self._begin(session)
            await _wait(stop, pause)
        if not sessions:
            await _wait(stop, pause)

    def _to_look_at(self) -> list[Connected]:
        sessions = [one for one in self._sessions() if one.is_connected]
        known = {one.session_id for one in sessions}
        self._connections = {
            name: connection for name, connection in self._connections.items() if name in known
        }
        return sessions

    def _begin(self, session: Connected) -> None:
        pid = session.host_pid
        if pid is None or not session.is_connected:
            return
        connection = self._connections.get(session.session_id)
        if connection is None or connection.pid != pid:
            connection = _Connection(pid=pid, heard=time.monotonic())
            self._connections[session.session_id] = connection
        if connection.is_looked_at:
            return
        connection.is_looked_at = True
        look = asyncio.create_task(
            self._look(session, connection), name=f"silence:{session.session_id}"
        )
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)

    async def _look(self, session: Connected, connection: _Connection) -> None:
        is_settling = await self._listen(session, connection)
        is_quiet = connection.age >= self._after_seconds and not is_settling
        if is_quiet and await self._is_dead(session, connection):
            self._give_up(session, connection)
        else:
            connection.is_looked_at = False

    async def _listen(self, session: Connected, connection: _Connection) -> bool:
        """Learn when something has come; a host that does not answer has heard nothing.

        Returns:
            Whether the connection is about to be looked after otherwise: a send that gets no answer
            has it cut, and so learns what became of it.
        """
        is_settling = False
        with contextlib.suppress(GatewayError):
            heard = await session.request(Listen())
            seconds = heard.seconds
            is_settling = bool(session.sends)
            known = session.retry_receipts
            session.heard(seconds, retries=heard.retries)
            self.retry_receipts += session.retry_receipts - known
            if seconds is not None:
                connection.heard = time.monotonic() - seconds
        connection.age = time.monotonic() - connection.heard
        return is_settling

    async def _is_dead(self, session: Connected, connection: _Connection) -> bool:
        """Have WhatsApp asked something, and tell whether nothing has come all the same."""
        asked = time.monotonic()
        with contextlib.suppress(GatewayError, TimeoutError):
            async with asyncio.timeout(self._probe_seconds):
                await session.request(Probe())
        if await self._listen(session, connection) or connection.heard > asked:
            return False
        return session.is_connected and session.host_pid == connection.pid

    def _give_up(self, session: Connected, connection: _Connection) -> None:
        seconds = round(connection.age)
        log.warning(
            "session.silent",
            session_id=session.session_id,
            host_pid=connection.pid,
            seconds=seconds,
        )
        session.connect_anew(f"WhatsApp has sent nothing for {seconds} s, and does not answer")


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
