"""Every message of this version by its type, in the order of the unions that define them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

from gateway_contracts.commands import Command
from gateway_contracts.envelope import CommandEnvelope, Envelope, WorkerEventEnvelope
from gateway_contracts.events import Event
from gateway_contracts.unions import members


def type_of(model: type[Envelope]) -> str:
    """Return the `type` that a message's class stands for."""
    return str(model.model_fields["type"].default)


def summary_of(model: type) -> str:
    """Return the first paragraph of a message's description, on one line."""
    return " ".join((model.__doc__ or "").strip().split("\n\n")[0].split())


def is_command(model: type[Envelope]) -> bool:
    """Whether this is a message from a backend to a worker."""
    return issubclass(model, CommandEnvelope)


def is_worker_event(model: type[Envelope]) -> bool:
    """Whether this is what a worker says of itself."""
    return issubclass(model, WorkerEventEnvelope)


def _members(union: Any) -> Mapping[str, type[Envelope]]:
    return cast("Mapping[str, type[Envelope]]", members(union, "type"))


COMMANDS: Mapping[str, type[Envelope]] = _members(Command)
EVENTS: Mapping[str, type[Envelope]] = _members(Event)
MESSAGES: Mapping[str, type[Envelope]] = MappingProxyType({**COMMANDS, **EVENTS})
