"""What a handler gets and what it gives back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from gateway_contracts import Result
from gateway_worker.commands.replaying import Replays
from gateway_worker.sessions.changes import MessageRow, Transfer
from gateway_worker.sessions.manager import SessionManager
from gateway_worker.sessions.ports import MessageStore
from gateway_worker.sessions.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What handlers work with."""

    manager: SessionManager
    messages: MessageStore
    replays: Replays | None = None
    interrupted: bool = False
    """This command was begun before, by a worker that then died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A command's success, to be committed together with its outcome.

    Attributes:
        result: What the backend gets.
        session: The session whose epoch guards the commit.
        message: A message that was sent.
        delete: The session's rows are to go.
        transfer: The session goes to another worker.
        library_seconds: How much of the time was the WhatsApp library's.
    """

    result: Result
    session: Session
    message: MessageRow | None = None
    delete: bool = False
    transfer: Transfer | None = None
    library_seconds: float = 0.0


Handler = Callable[[Context, Any], Awaitable[Effect]]
"""Executes one command. Raises `GatewayError` with the code for the backend."""
