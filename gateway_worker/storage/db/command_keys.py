"""Under which key a command is stored: ids of commands are one namespace for each tenant.

A command of a tenant's session has the tenant and a space before its id, which no id has in it; the
others have their id alone. What only one session's rows are asked for (messages, scheduled sends,
bulks) has the id as it is.
"""

from gateway_contracts.tenants import tenant_of


def command_key(session_id: str, command_id: str) -> str:
    """Return the key of a session's command."""
    tenant = tenant_of(session_id)
    return command_id if tenant is None else f"{tenant} {command_id}"


def command_id(key: str) -> str:
    """Return the id of the command that is stored under a key."""
    return key.rpartition(" ")[2]
