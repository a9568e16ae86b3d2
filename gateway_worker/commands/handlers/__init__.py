"""What each command does: one module per family, one function per type, joined in `HANDLERS`."""

from gateway_worker.commands.handlers import messages, replay, sessions
from gateway_worker.commands.handlers.effect import (
    Context,
    Effect,
    Handler,
    Needs,
    Once,
    Retry,
)

HANDLERS: dict[str, Handler] = {
    **sessions.HANDLERS,
    **messages.HANDLERS,
    **replay.HANDLERS,
}
"""From a command's type to its handler."""

__all__ = ["HANDLERS", "Context", "Effect", "Handler", "Needs", "Once", "Retry"]
