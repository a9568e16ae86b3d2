"""Hosts without a process; the port's tests run against them and the real ones."""

import asyncio

from gateway_contracts import Account
from gateway_worker.errors import SessionNotConnectedError
from gateway_worker.host_protocol.methods import Method, R
from gateway_worker.sessions.hosting import (
    HostExited,
    HostLauncher,
    HostListener,
    HostSpec,
    LinkUp,
)
from tests.support.ports import UnaskedHost


class MemoryHost(UnaskedHost):
    """A host that is connected until it is told to stop, and is asked for nothing else.

    Attributes:
        runs: Whether it does.
        killed: Whether it was, or was to be.
    """

    def __init__(self, listener: HostListener) -> None:
        self.runs = True
        self.killed = False
        self._listener = listener
        self._task: asyncio.Future[None] | None = None

    async def request(self, call: Method[R], *, command_id: str | None = None) -> R:
        """Be gone, or fail the test."""
        if not self.runs:
            raise SessionNotConnectedError("the host is gone")
        return await super().request(call, command_id=command_id)

    async def stop(self) -> None:
        """Leave."""
        if self.runs:
            self.runs = False
            await self._listener(HostExited(expected=True, detail="it left"))

    def kill(self) -> None:
        """Leave at once."""
        self.killed = True
        if self.runs:
            self.runs = False
            exited = HostExited(expected=False, detail="killed")
            self._task = asyncio.ensure_future(_tell(self._listener, exited))

    def acknowledge(self, record: int) -> None:
        """Have nothing in the spool."""


async def _tell(listener: HostListener, event: HostExited | LinkUp) -> None:
    await listener(event)


class MemoryLauncher(HostLauncher):
    """Starts hosts that connect at once; fails if there were ever two.

    Args:
        account: Whose they are.

    Attributes:
        hosts: All that were started, in order.
        may_start: Holds a launch up while it is not set.
        waiting: How many are held up.
    """

    def __init__(self, account: Account) -> None:
        self.hosts: list[MemoryHost] = []
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.waiting = 0
        self._account = account
        self._tasks: list[asyncio.Future[None]] = []

    @property
    def running(self) -> list[MemoryHost]:
        """The hosts that run."""
        return [host for host in self.hosts if host.runs]

    async def launch(self, spec: HostSpec, listener: HostListener) -> MemoryHost:
        """Start one, as soon as that is possible."""
        self.waiting += 1
        await self.may_start.wait()
        self.waiting -= 1
        assert not self.running, "two hosts at once"
        host = MemoryHost(listener)
        self.hosts.append(host)
        up = LinkUp(account=self._account)
        self._tasks.append(asyncio.ensure_future(_tell(listener, up)))
        return host
