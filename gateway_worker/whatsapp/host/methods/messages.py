"""Messages, and the chats that they are in."""

from collections.abc import Mapping
from typing import Any, Final

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.methods.messages import Chats, FindChats, SendMessage, Sent
from gateway_worker.whatsapp.host.methods.run import Run, Tools


def send(tools: Tools, request: Request, _call: SendMessage) -> Sent:
    """Send a message."""
    return tools.sender.send(request)


def find_chats(tools: Tools, request: Request, _call: FindChats) -> Chats:
    """Return the ids of a person's chat."""
    return tools.sender.chats(request)


RUNS: Final[Mapping[type[Any], Run]] = {SendMessage: send, FindChats: find_chats}
