"""Traffic in both directions, and the book of what was sent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway_contracts import CommandEnvelope, MessageSend
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.harness import Gateway

PACE_SECONDS = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A text that was sent, in either direction.

    Attributes:
        session_id: The session that sends or receives it.
        identity: The command's id, or WhatsApp's id of the message.
        text: Different for every message.
    """

    session_id: str
    identity: str
    text: str


@dataclass(slots=True)
class Book:
    """What one test has sent, in the order of sending.

    Attributes:
        outbound: Commands that the broker has confirmed.
        inbound: Messages that WhatsApp's server has taken.
    """

    outbound: list[Sent] = field(default_factory=list)
    inbound: list[Sent] = field(default_factory=list)


class Traffic:
    """A backend that writes to a customer through every session, and the customer's answers.

    Args:
        gateway: Whose backend writes.
        accounts: The session's id for every account's number.
        customer: Who writes to the accounts, and is written to.
        label: Part of every text, so that two tests have no text in common.
        publish: How commands are published; returns when the broker has confirmed.
    """

    def __init__(
        self,
        *,
        gateway: Gateway,
        accounts: dict[str, str],
        customer: Phone,
        label: str,
        publish: Callable[[CommandEnvelope], Awaitable[None]],
    ) -> None:
        self._gateway = gateway
        self._publish = publish
        self._accounts = accounts
        self._customer = customer
        self._label = label
        self._count = 0
        self._one_at_a_time = asyncio.Lock()
        self.book = Book()

    @property
    def sessions(self) -> tuple[str, ...]:
        """The sessions that take part."""
        return tuple(self._accounts.values())

    async def once(self) -> None:
        """Send one message each way through every session; may run while `flowing` does."""
        async with self._one_at_a_time:  # else the book's order would be a guess
            self._count += 1
            for number, session_id in self._accounts.items():
                await self._write(session_id)
                await self._answer(number, session_id)

    async def answer(self) -> None:
        """Send one message to every session, and no command."""
        async with self._one_at_a_time:
            self._count += 1
            for number, session_id in self._accounts.items():
                await self._answer(number, session_id)

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Send all the time, at a steady pace, as long as the block lasts."""
        stop = asyncio.Event()

        async def flow() -> None:
            while not stop.is_set():
                await self.once()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), PACE_SECONDS)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(flow(), name="traffic")
            yield
            stop.set()

    def command(self, session_id: str, text: str) -> MessageSend:
        """Return the command that sends a text to the customer."""
        return self._gateway.text(session_id, self._customer.number, text)

    async def _write(self, session_id: str) -> None:
        text = f"{self._label} out {session_id} {self._count}"
        command = self.command(session_id, text)
        await self._publish(command)
        self.book.outbound.append(Sent(session_id=session_id, identity=command.id, text=text))

    async def _answer(self, number: str, session_id: str) -> None:
        text = f"{self._label} in {session_id} {self._count}"
        message_id = await self._customer.send_text(number, text)
        self.book.inbound.append(Sent(session_id=session_id, identity=message_id, text=text))
