"""What runs a method, and what it runs with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.methods import Result
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.whatsapp.convert.failures import query_failure
from gateway_worker.whatsapp.host.native import Library
from gateway_worker.whatsapp.host.presence_keeper import PresenceKeeper
from gateway_worker.whatsapp.host.sending import Sender, SendFailedError
from gateway_worker.whatsapp.host.typing_timers import TypingTimers

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What methods are run with.

    Attributes:
        library: The client.
        sender: Sends messages with it.
        configure: Has the host obey other settings; called in its loop.
        typing: Ends what is shown in chats.
        presence: What is shown of the account's presence, and whose is told.
        retries: Tells how often devices of others have asked for a message again.
    """

    library: Library
    sender: Sender
    configure: Callable[[HostSettings], None]
    typing: TypingTimers = field(default_factory=TypingTimers)
    presence: PresenceKeeper = field(default_factory=PresenceKeeper)
    retries: Callable[[], int] = lambda: 0


Run = Callable[[Tools, Request, Any], Result]
"""Runs the call of a request, which is the last argument. Raises `SendFailedError`."""


def ask(question: Callable[[], T], what: str) -> T:
    """Ask the library something that changes no message.

    Args:
        question: The call.
        what: What it asks for, for a person.

    Raises:
        SendFailedError: It cannot be told.
    """
    try:
        return question()
    except Exception as error:  # noqa: BLE001 - the library's errors differ by their text only
        raise SendFailedError(query_failure(str(error), what)) from None
