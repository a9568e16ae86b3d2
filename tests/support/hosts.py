"""Hosts without a process; the port's tests run against them and the real ones."""

import asyncio
from typing import cast

from gateway_contracts import Account
from gateway_worker.errors import SessionNotConnectedError, UpstreamTimeoutError
from gateway_worker.host_protocol.methods.method import Done, Method, R
from gateway_worker.host_protocol.methods.session import Configure
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.signals import Exited, Up
from gateway_worker.host_protocol.wire import Person
from gateway_worker.sessions.hosting import HostLauncher, HostListener, HostSpec
from tests.support.ports import UnaskedHost


class MemoryHost(UnaskedHost):
    """A host that is connected until it is told to stop, and is asked for nothing else.

    Attributes:
        runs: Whether it does.
        killed: Whether it was, or was to be.
        settings: What it obeys.
        takes_settings: Whether it takes others.
        may_take_settings: Until it is set, it lets whoever brings others wait.
    """

    def __init__(self, listener: HostListener, settings: HostSettings | None = None) -> None:
        self.runs = True
        self.killed = False
        self.settings = settings or HostSettings()
        self.takes_settings = True
        self.may_take_settings = asyncio.Event()
        self.may_take_settings.set()
        self._listener = listener
        self._task: asyncio.Future[None] | None = None

    async def request(
        self,
        call: Method[R],
        *,
        command_id: str | None = None,
        seconds: float | None = None,
    ) -> R:
        """Be gone, obey other settings, or fail the test."""
        if not self.runs:
            raise SessionNotConnectedError("the host is gone")
        if isinstance(call, Configure):
            await self.may_take_settings.wait()
            if not self.takes_settings:
                raise UpstreamTimeoutError("the host hangs")
            self.settings = call.settings
            return cast("R", Done())
        return await super().request(call, command_id=command_id, seconds=seconds)

    async def stop(self) -> None:
        """Leave."""
        if self.runs:
            self.runs = False
            await self._listener(Exited(expected=True, detail="it left"))

    def kill(self) -> None:
        """Leave at once."""
        self.killed = True
        if self.runs:
            self.runs = False
            exited = Exited(expected=False, detail="killed")
            self._task = asyncio.ensure_future(_tell(self._listener, exited))

    def acknowledge(self, record: int) -> None:
        """Have nothing in the spool."""

    def take_history(self, page: str) -> None:
        """Have no history."""


async def _tell(listener: HostListener, event: Exited | Up) -> None:
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
        host = MemoryHost(listener, spec.settings)
        self.hosts.append(host)
        account = self._account
        up = Up(
            account=Person(
                jid=account.jid,
                lid=account.lid,
                phone_number=account.phone_number,
                push_name=account.push_name,
            )
        )
        self._tasks.append(asyncio.ensure_future(_tell(listener, up)))
        return host
