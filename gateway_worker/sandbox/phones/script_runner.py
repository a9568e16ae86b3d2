"""Runs a phone's scripts: one message at a time, in order, apart from the receiving."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway_worker.sandbox.phones.phone import Phone
    from gateway_worker.sandbox.phones.scripts import Script
    from gateway_worker.sandbox.phones.values import ChatMessage

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ScriptRunner:
    """The scripts of one phone; `run` follows them.

    A slow script never stops the receiving; one that fails does not stop the others.
    """

    def __init__(self, *, phone: Phone, on_error: Callable[[Exception], None]) -> None:
        """Start without a script.

        Args:
            phone: what scripts hold in their hand.
            on_error: told what a script has raised.
        """
        self._phone = phone
        self._on_error = on_error
        self._messages: asyncio.Queue[ChatMessage] = asyncio.Queue()
        self._scripts: list[Script] = []

    def __bool__(self) -> bool:
        return bool(self._scripts)

    def add(self, script: Script) -> Callable[[], None]:
        """Add a script; the result takes it off again."""
        self._scripts.append(script)

        def remove() -> None:
            if script in self._scripts:
                self._scripts.remove(script)

        return remove

    def replace(self, scripts: Iterable[Script]) -> None:
        """Replace all scripts, in the order in which they shall run."""
        self._scripts[:] = scripts

    def put(self, message: ChatMessage) -> None:
        """Hand a message to the scripts that there are now; returns at once."""
        if self._scripts:
            self._messages.put_nowait(message)

    async def run(self) -> None:
        """Follow the scripts, until cancelled."""
        while True:
            message = await self._messages.get()
            for script in tuple(self._scripts):
                try:
                    await script(self._phone, message)
                except Exception as error:  # a test's own code; the phone goes on
                    log.warning("sandbox.phone.script_failed", exc_info=True)
                    self._on_error(error)
