"""Hands the outcomes of commands to who waits for them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from gateway_contracts.events import Event
from gateway_contracts.events.outcome import CommandFailed, CommandScheduled, CommandSucceeded

Answer = CommandSucceeded | CommandFailed | CommandScheduled
"""What a command is answered with; what is scheduled has its outcome later."""


class Outcomes:
    """Who waits for which command."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, list[asyncio.Queue[Answer]]] = defaultdict(list)

    @contextmanager
    def of(self, command_id: str) -> Iterator["asyncio.Queue[Answer]"]:
        """Collect the answers to a command while the block runs: enter it before publishing."""
        answers: asyncio.Queue[Answer] = asyncio.Queue()
        self._waiting[command_id].append(answers)
        try:
            yield answers
        finally:
            self._waiting[command_id].remove(answers)
            if not self._waiting[command_id]:
                del self._waiting[command_id]

    def tell(self, event: Event) -> None:
        """Hand an event to those who wait for it."""
        if isinstance(event, Answer) and event.correlationid is not None:
            for answers in self._waiting.get(event.correlationid, ()):
                answers.put_nowait(event)
