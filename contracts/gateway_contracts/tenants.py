"""Tenants of one fleet: whose a session is stands in its name, before the dot.

`acme.support` is the session `support` of the tenant `acme`; `support` alone is nobody's, or the
only backend's. So an owner is compared without looking anything up, two tenants may use the same
names and the same ids of commands, and events carry the owner as a word of their routing key:
`message.received.acme.support`. A tenant's services, and with them its queues and its users at the
broker, are called by its name, alone or with an underscore and one more word behind it: `acme`,
`acme_crm`.
"""

import re
from typing import Final

TENANT_NAME: Final = "[A-Za-z0-9][A-Za-z0-9-]{0,30}"
"""As a part of regular expressions."""
RESERVED: Final = frozenset({"worker"})
"""Names that no tenant can have: `worker.<id>` is the routing key that reaches one worker."""

_TENANT: Final = re.compile(TENANT_NAME)
_BACKEND: Final = ".backend."


def is_tenant(name: str) -> bool:
    """Tell whether a tenant can be called that."""
    return _TENANT.fullmatch(name) is not None and name not in RESERVED


def tenant_of(session_id: str) -> str | None:
    """Return whose a session is; None if its name says nothing of that."""
    tenant, dot, _ = session_id.partition(".")
    return tenant if dot else None


def name_within(tenant: str | None, name: str) -> str:
    """Return what a tenant's session of a name is called in the fleet."""
    return name if tenant is None else f"{tenant}.{name}"


def tenant_of_service(service: str) -> str:
    """Return whose a backend service would be, in a fleet with tenants."""
    return service.partition("_")[0]


def service_of_queue(queue: str) -> str:
    """Return the service that a backend's queue belongs to.

    It stands behind the first `.backend.`, which no prefix of a fleet's names has in it; queues may
    be called by that word, too.
    """
    return queue.partition(_BACKEND)[2].partition(".")[0]
