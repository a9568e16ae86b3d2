"""What the sender of a command may do."""

from dataclasses import dataclass
from typing import Final

from gateway_contracts import Command, SessionReplay
from gateway_contracts.tenants import (
    is_tenant,
    service_of_queue,
    tenant_of,
    tenant_of_service,
)

_ALL: Final = "*"
_NOTHING: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What whoever was verified may do.

    Attributes:
        tenant: Whose sessions it may command, and no others.
        sessions: Names within the tenant; one that ends with `*` stands for all that begin so.
            None: all of them.
        actions: Types of commands without `wa.` and version, likewise: `message.send`, `group.*`.
        is_everything: It may command every session of the fleet.
    """

    tenant: str | None = None
    sessions: tuple[str, ...] | None = None
    actions: tuple[str, ...] | None = None
    is_everything: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether nobody was verified."""
        return self.tenant is None and not self.is_everything

    @property
    def stamp(self) -> str:
        """What a worker that sends the command on says of it (see `of_stamp`)."""
        return _ALL if self.is_everything else self.tenant or _NOTHING

    def owns(self, session_id: str) -> bool:
        """Whether a session's name is among those that its sender may know anything about."""
        return self.is_everything or (
            self.tenant is not None and tenant_of(session_id) == self.tenant
        )

    def covers(self, command: Command) -> bool:
        """Whether it is a command of its sender's."""
        if self.is_everything:
            return True
        if not self.owns(command.subject):
            return False
        if isinstance(command, SessionReplay):
            service = service_of_queue(command.data.queue)
            if tenant_of_service(service) != self.tenant:
                return False
        _, _, name = command.subject.partition(".")
        action = command.type.removeprefix("wa.").rpartition(".")[0]
        return _is_among(name, self.sessions) and _is_among(action, self.actions)


EVERYTHING: Final = Grant(is_everything=True)
"""Of a fleet without tenants, and of its operator."""
NOTHING: Final = Grant()
"""Of whoever is not known."""


def of_tenant(name: str) -> Grant:
    """Return what a tenant as a whole may do; nothing if nobody can have this name."""
    return Grant(tenant=name) if is_tenant(name) else NOTHING


def of_stamp(stamp: object) -> Grant:
    """Return for whom a worker says that it has verified a command."""
    if stamp == _ALL:
        return EVERYTHING
    return of_tenant(stamp) if isinstance(stamp, str) else NOTHING


def _is_among(name: str, allowed: tuple[str, ...] | None) -> bool:
    return allowed is None or any(
        name.startswith(one[:-1]) if one.endswith("*") else name == one for one in allowed
    )
