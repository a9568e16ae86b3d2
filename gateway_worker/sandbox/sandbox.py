"""The sandbox as one object: server, service and phones, opened and closed together.

async with Sandbox.open(SandboxSettings()) as sandbox:
phone = await sandbox.add_phone("4915550001", push_name="Anna")
start_worker(env=sandbox.worker_env)
...
companion = await phone.scan(qr_text)
"""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.server.server import WireServer
from gateway_worker.sandbox.service import reachout
from gateway_worker.sandbox.service.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway_worker.sandbox.server.proxy import EgressAttempt
    from gateway_worker.sandbox.service.reachout import Timelock
    from gateway_worker.sandbox.settings import SandboxSettings


class UnknownPhoneError(LookupError):
    """The sandbox has no phone with this number."""


class Sandbox:
    """A running sandbox; made by `Sandbox.open` and bound to its event loop.

    Attributes:
        service: accounts, keys and stanzas, for what this facade does not show.
        faults: what shall go wrong.
        connections: companions' connections: their state, their end, stanzas that no device sends.
    """

    def __init__(
        self, *, service: Service, server: WireServer, stack: AsyncExitStack, lazy_phones: bool
    ) -> None:
        self.service = service
        self._lazy_phones = lazy_phones
        self.faults = service.faults
        self.connections = service.connections
        self._server = server
        self._stack = stack
        self._phones: dict[str, Phone] = {}
        self._numbers = (f"1202555{number:04d}" for number in itertools.count(100))

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: SandboxSettings) -> AsyncIterator[Sandbox]:
        """Start the server; leaving the block switches all phones off and stops it.

        Raises:
            SandboxRefusedError: the environment is production.
            OSError: a port is taken, or the directory cannot be written.
        """
        settings.refuse_in_production()
        async with AsyncExitStack() as stack:
            if settings.directory is not None:
                await asyncio.to_thread(settings.directory.mkdir, parents=True, exist_ok=True)
            service = Service(
                media_bytes=settings.media_bytes, media_seconds=settings.media_seconds
            )
            server = await stack.enter_async_context(
                WireServer(service=service, port=settings.proxy_port, directory=settings.directory)
            )
            yield cls(service=service, server=server, stack=stack, lazy_phones=settings.lazy_phones)

    @property
    def proxy_url(self) -> str:
        """Where a worker connects: the value of SANDBOX_PROXY_URL."""
        return self._server.proxy_url

    @property
    def ca_file(self) -> Path:
        """The PEM file it must trust: SANDBOX_CA_FILE."""
        return self._server.ca_file

    @property
    def root_key_hex(self) -> str:
        """The root of the Noise certificates, 64 hexadecimal digits: SANDBOX_ROOT_KEY."""
        return self._server.root_key.hex()

    @property
    def worker_env(self) -> dict[str, str]:
        """The three settings that point a worker at this sandbox."""
        return {
            "SANDBOX_PROXY_URL": self.proxy_url,
            "SANDBOX_CA_FILE": str(self.ca_file),
            "SANDBOX_ROOT_KEY": self.root_key_hex,
        }

    @property
    def egress_attempts(self) -> tuple[EgressAttempt, ...]:
        """Every request for another host, refused and recorded; empty is what you want."""
        return tuple(self._server.egress_attempts)

    @property
    def phones(self) -> tuple[Phone, ...]:
        """All phones, in the order in which they were added."""
        return tuple(self._phones.values())

    async def add_phone(
        self,
        number: str | None = None,
        *,
        push_name: str = "",
        lid: str | None = None,
        hides_number: bool = False,
    ) -> Phone:
        """Register an account and switch its phone on.

        Args:
            number: digits with country code; a free one is chosen when not given.
            push_name: the name shown to others.
            lid: digits of the account's LID; derived from the number when not given.
            hides_number: whether others know it by LID only.

        Raises:
            AccountExistsError: the number or the LID is taken.
            ValueError: the number or the LID is not 1 to 15 digits.
        """
        chosen = number or next(one for one in self._numbers if one not in self._phones)
        for digits in (chosen, lid):
            if digits is not None and not _is_digits(digits):
                raise ValueError("a phone number or LID is 1 to 15 digits without a sign")
        phone = await self._stack.enter_async_context(
            Phone.open(
                service=self.service,
                number=chosen,
                push_name=push_name,
                lid=lid,
                hides_number=hides_number,
                lazy=self._lazy_phones,
            )
        )
        self._phones[chosen] = phone
        return phone

    def phone(self, number: str) -> Phone:
        """Return a phone by its number.

        Raises:
            UnknownPhoneError: no phone has it.
        """
        try:
            return self._phones[number.removeprefix("+")]
        except KeyError:
            raise UnknownPhoneError("the sandbox has no phone with this number") from None

    def rename(self, number: str, push_name: str) -> None:
        """Change the name that a phone's account shows to others; raises as `phone` does."""
        self.service.accounts.get(self.phone(number).jid).push_name = push_name

    def set_timelock(self, number: str, timelock: Timelock | None) -> None:
        """Let a phone's account begin no chats for a while, or end that; raises as `phone` does.

        Its companions are told, and get 463 for a message to somebody new who gave no token.
        """
        reachout.set_timelock(self.service.accounts.get(self.phone(number).jid), timelock)

    async def service_down(self) -> None:
        """Make the whole service unreachable: every connection is cut and none is accepted."""
        await self._server.refuse_connections()

    async def service_up(self) -> None:
        """Undo `service_down`; the port is the same."""
        await self._server.accept_connections()


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15  # noqa: PLR2004 - E.164
