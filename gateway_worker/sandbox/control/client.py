"""The typed client of the control API, for when the sandbox runs as another process.

async with SandboxClient.connect(url=url, token=token) as sandbox:
phone = await sandbox.add_phone(push_name="Anna")
await sandbox.scan(phone.number, qr_text)
message = await sandbox.next_message(phone.number)
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import aiohttp

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.caller import ControlError
from gateway_worker.sandbox.control.methods import Methods
from gateway_worker.sandbox.phones.values import ReceiptKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["ControlError", "SandboxClient"]

POLL_SECONDS: Final = 20.0
PATIENCE_SECONDS: Final = 10.0


class SandboxClient(Methods):
    """One method per route, and waiting. Each raises `ControlError` when the sandbox refuses.

    Phones are named by the digits of their number; recipients also by address.
    """

    def __init__(self, *, session: aiohttp.ClientSession, url: str) -> None:
        super().__init__(session=session, url=url)
        self._cursors: dict[str, int] = {}

    @classmethod
    @asynccontextmanager
    async def connect(cls, *, url: str, token: str | None = None) -> AsyncIterator[SandboxClient]:
        """Talk to a sandbox while the block runs.

        Args:
            url: its control URL.
            token: its bearer token, if it demands one.
        """
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            yield cls(session=session, url=url)

    async def worker_env(self) -> dict[str, str]:
        """Return the three environment variables that point a worker at it."""
        return (await self.worker_settings()).env()

    async def next_message(
        self,
        number: str,
        *,
        timeout: float = PATIENCE_SECONDS,  # noqa: ASYNC109 - part of the error's text
    ) -> models.MessageView:
        """Return the next message of a phone that this client has not returned yet.

        Raises:
            TimeoutError: none came in time.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            position = self._cursors.get(number, 0)
            left = max(deadline - asyncio.get_running_loop().time(), 0.0)
            poll = models.Poll(since=position, timeout_seconds=min(left, POLL_SECONDS))
            page = await self.inbox(number, poll)
            if page.items:
                self._cursors[number] = page.next - len(page.items) + 1
                return page.items[0]
            if not left:
                raise TimeoutError(f"no message within {timeout:g} s")

    async def wait_for_receipt(
        self,
        number: str,
        message_id: str,
        kind: ReceiptKind = ReceiptKind.DELIVERED,
        *,
        timeout: float = PATIENCE_SECONDS,  # noqa: ASYNC109 - part of the error's text
    ) -> models.ReceiptView:
        """Return the first receipt of this kind for a message, past or to come.

        Raises:
            TimeoutError: none came in time.
        """

        def fits(receipt: models.ReceiptView) -> bool:
            return receipt.kind is kind and message_id in receipt.message_ids

        return await self._first_receipt(number, fits, timeout)

    async def _first_receipt(
        self, number: str, fits: Callable[[models.ReceiptView], bool], patience: float
    ) -> models.ReceiptView:
        deadline = asyncio.get_running_loop().time() + patience
        position = 0
        while True:
            left = max(deadline - asyncio.get_running_loop().time(), 0.0)
            poll = models.Poll(since=position, timeout_seconds=min(left, POLL_SECONDS))
            page = await self.receipts(number, poll)
            found = next(filter(fits, page.items), None)
            if found is not None:
                return found
            if not page.items and not left:
                raise TimeoutError(f"no such receipt within {patience:g} s")
            position = page.next
