"""The port to session hosts: one WhatsApp connection each, in a process of its own.

How one is started and what it is asked for; `whatsapp/` implements it. What a host tells, and the
methods that it has, are in `host_protocol`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gateway_contracts.commands import Pairing
from gateway_worker.host_protocol.envelope import Event, HistoryPage, VolatileEvent
from gateway_worker.host_protocol.methods.method import Method, R
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.signals import Exited, Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec:
    """How to start a session's host.

    Attributes:
        session_id: Whose host it is.
        directory: The session's own directory (device store, spool); made if missing, mode 0700.
        resume_jid: The device to resume, exactly as paired (`user:device@s.whatsapp.net`); None to
            pair a new one.
        pairing: How to pair when there is nothing to resume.
        device_name: What the phone's list of linked devices shows.
        worker_id: Who runs it, for the journal of sends.
        epoch: Under which epoch, likewise.
        settings: What it obeys from its start on.
        proxy_url: Through what it reaches WhatsApp, and never without it; None: nothing.
    """

    session_id: str
    directory: Path
    resume_jid: str | None
    pairing: Pairing
    device_name: str
    worker_id: str = ""
    epoch: int = 0
    settings: HostSettings = field(default_factory=HostSettings)
    proxy_url: str | None = field(default=None, repr=False)


HostEvent = Signal | Event | VolatileEvent | HistoryPage | Exited
"""What a host tells.

An `Event` comes from its spool: acknowledge its record after the commit. After a `HistoryPage` no
other follows until it is taken.
"""

HostListener = Callable[[HostEvent], Awaitable[None]]
"""Called in order, one event at a time; a slow listener slows the host (back-pressure)."""


class SessionHost(Protocol):
    """One running host. Every call may raise `SessionNotConnectedError` if the process is gone."""

    @property
    def pid(self) -> int:
        """The process id, for memory accounting and fault tests."""
        ...

    async def request(
        self,
        call: Method[R],
        *,
        command_id: str | None = None,
        seconds: float | None = None,
    ) -> R:
        """Call a method of the host and return its answer.

        Args:
            call: The method and its parameters.
            command_id: The command that it is for.
            seconds: How long the answer may take, if that is less than what the method may take.

        With a `command_id` the host notes on disk when it begins what must not be done twice, and
        how that ended, and a host that dies meanwhile leaves an uncertain end only between these
        two.

        Raises:
            SessionNotConnectedError: It has had no effect; the host is gone, or not connected.
            RecipientNotOnWhatsAppError: Nothing was sent.
            RateLimitedError: The server wants fewer requests; it has had no effect.
            StaleKeysError: The server refused it, and may take another one.
            UpstreamRejectedError: The server refused it for good.
            UpstreamTimeoutError: The server did not answer; it has had no effect, or may be
                repeated.
            UncertainError: Nobody knows whether it has had an effect that it must not have twice.
        """
        ...

    async def stop(self) -> None:
        """Disconnect and leave; killed after a few seconds. Never raises; idempotent."""
        ...

    def kill(self) -> None:
        """End the process at once. Never raises; idempotent."""
        ...

    def acknowledge(self, record: int) -> None:
        """Let the host forget the spooled event with this record. Cheap, never blocks."""
        ...

    def take_history(self, page: str) -> None:
        """Let the host go on behind a page of the history. Cheap, never blocks."""
        ...


class HostLauncher(Protocol):
    """Starts hosts. Ready hosts share their memory with the process they are forked from."""

    async def launch(self, spec: HostSpec, listener: HostListener) -> SessionHost:
        """Start a host and return once its process runs; what follows comes to `listener`.

        Raises:
            DependencyError: No process could be started.
        """
        ...


class SpoolReplays(Protocol):
    """Reads what hosts had received and nobody has committed, of sessions that moved."""

    async def replay(self, spec: HostSpec, listener: HostListener) -> SessionHost:
        """Start a host that tells what is in a directory's spool, and nothing else.

        It has no connection. When all records are acknowledged it leaves, as expected. It waits for
        the directory's lock like any other host.

        Raises:
            DependencyError: No process could be started.
        """
        ...
