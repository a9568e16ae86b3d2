"""What each command does: one module per family, one function per type, joined in `HANDLERS`.

A family more is a module here with `HANDLERS` of its own; a test holds that there is a handler for
each command of the contract.
"""

import pkgutil
from importlib import import_module
from typing import Final

from gateway_worker.commands.handlers.effect import (
    Context,
    Effect,
    Handler,
    MessageId,
    Needs,
    Once,
    Retry,
    looked_up,
)

__all__ = [
    "HANDLERS",
    "Context",
    "Effect",
    "Handler",
    "MessageId",
    "Needs",
    "Once",
    "Retry",
    "looked_up",
]

_SHARED: Final = frozenset(
    {"contents", "effect", "forwarded_files", "group_calls", "new_chats", "targets", "timers"}
)
"""The modules that are no families."""


def _handlers() -> dict[str, Handler]:
    handlers: dict[str, Handler] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name not in _SHARED:
            handlers |= import_module(f"{__name__}.{module.name}").HANDLERS
    return handlers


HANDLERS: Final = _handlers()
"""From a command's type to its handler."""
