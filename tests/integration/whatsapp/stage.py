"""Real hosts against a sandbox: an account with its phone, and everything that its host tells."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from gateway_contracts.commands import PairByCode, PairByQr
from gateway_worker.host_protocol.envelope import Event, HistoryPage
from gateway_worker.host_protocol.media import MediaReference
from gateway_worker.host_protocol.methods.session import Configure
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.host_protocol.signals import Exited, QrCode, Up
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sessions.hosting import HostEvent, HostSpec
from gateway_worker.whatsapp.launcher import HostProcesses
from gateway_worker.whatsapp.process import HostProcess
from gateway_worker.whatsapp.settings import WhatsAppSettings
from tests.support.arrivals import Arrived, InboundMessage, Seen, seen
from tests.support.eventually import eventually

E = TypeVar("E")

PATIENCE_SECONDS = 20.0


def settings_for(sandbox: Sandbox, **values: object) -> WhatsAppSettings:
    """Return settings that point hosts at a sandbox."""
    return WhatsAppSettings.model_validate(
        {
            "sandbox_proxy_url": sandbox.proxy_url,
            "sandbox_ca_file": sandbox.ca_file,
            "sandbox_root_key": sandbox.root_key_hex,
            **values,
        }
    )


@dataclass(kw_only=True)
class Account:
    """A session of this test: its directory, its phone and the host that runs now.

    Attributes:
        events: What all hosts of this session told, in order.
        references: Where the files are that came with it.
        acknowledging: Whether what arrives is acknowledged at once.
        settings: What its next host obeys.
        taken: How far `next` has come among arrivals (True) and among everything else.
    """

    name: str
    directory: Path
    processes: HostProcesses
    phone: Phone
    jid: str | None = None
    events: list[Seen] = field(default_factory=list)
    references: list[MediaReference] = field(default_factory=list)
    acknowledging: bool = True
    taken: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    running: HostProcess | None = None
    worker_id: str = ""
    epoch: int = 0
    proxy_url: str | None = None
    settings: HostSettings = field(default_factory=HostSettings)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def host(self) -> HostProcess:
        """The host that runs."""
        assert self.running is not None
        return self.running

    async def launch(self, *, pairing: PairByQr | PairByCode | None = None) -> HostProcess:
        """Start a host: to resume if the account is linked, else to pair."""
        spec = HostSpec(
            session_id=self.name,
            directory=self.directory,
            resume_jid=self.jid,
            pairing=pairing or PairByQr(),
            device_name="Test gateway",
            worker_id=self.worker_id,
            epoch=self.epoch,
            proxy_url=self.proxy_url,
            settings=self.settings,
        )
        self.running = await self.processes.launch(spec, self._listen)
        return self.running

    async def link(self) -> None:
        """Pair by QR code and wait for the connection."""
        await self.launch()
        await self.phone.scan((await self.next(QrCode)).code)
        self.jid = (await self.next(Up)).account.jid

    async def resume(self) -> None:
        """Start a host for the linked device and wait for the connection."""
        await self.launch()
        await self.next(Up)

    async def stop(self) -> Exited:
        """Stop the host and return its last event."""
        await self.host.stop()
        return await self.next(Exited)

    async def next(
        self,
        kind: type[E],
        where: Callable[[E], bool] = lambda _: True,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> E:
        """Return the first such event after the one of its stream that was returned last.

        What arrives is one stream, from the spool, and what is told of the connection is another:
        which of both comes first says nothing.
        """
        is_arrival = issubclass(kind, Arrived)
        try:
            async with asyncio.timeout(patience_seconds), self._changed:
                while True:
                    for place in range(self.taken[is_arrival], len(self.events)):
                        event = self.events[place]
                        if isinstance(event, kind) and where(event):
                            self.taken[is_arrival] = place + 1
                            return event
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"no {kind.__name__} among {self.events[-20:]}") from None

    async def until_told(self, count: int) -> None:
        """Wait until there were so many messages."""
        await eventually(lambda: len(self.messages()) >= count, timeout_seconds=30)

    def messages(self) -> list[InboundMessage]:
        """Return the messages so far."""
        return [event for event in self.events if isinstance(event, InboundMessage)]

    async def configure(self, settings: HostSettings) -> None:
        """Have the host obey other settings."""
        await self.host.request(Configure(settings=settings))

    def acknowledge(self, messages: Iterable[InboundMessage] | None = None) -> None:
        """Acknowledge some messages, or all so far."""
        for message in self.messages() if messages is None else messages:
            self.host.acknowledge(message.record)

    async def _listen(self, event: HostEvent) -> None:
        if self.acknowledging and isinstance(event, Event) and event.last:
            self.host.acknowledge(event.record)
        if self.acknowledging and isinstance(event, HistoryPage):
            self.host.take_history(event.page)
        if isinstance(event, Event) and event.media is not None:
            self.references.append(event.media)
        async with self._changed:
            self.events.append(seen(event))
            self._changed.notify_all()


@dataclass(kw_only=True)
class Stage:
    """A sandbox and the hosts that are pointed at it."""

    sandbox: Sandbox
    processes: HostProcesses
    directory: Path
    accounts: int = 0

    async def account(self, *, name: str = "Anna") -> Account:
        """Add an account that is not linked yet."""
        self.accounts += 1
        return Account(
            name=f"s{self.accounts}",
            directory=self.directory / f"s{self.accounts}",
            processes=self.processes,
            phone=await self.sandbox.add_phone(push_name=name),
        )

    async def linked(self, settings: HostSettings | None = None) -> Account:
        """Add an account and link it."""
        account = await self.account()
        account.settings = settings or account.settings
        await account.link()
        return account

    async def customer(self, name: str = "Ben") -> Phone:
        """Switch on the phone of somebody without a gateway."""
        return await self.sandbox.add_phone(push_name=name)
