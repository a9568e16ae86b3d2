"""The whole contract as one AsyncAPI 3.0 document."""

from typing import Any

from gateway_contracts.envelope import CONTENT_TYPE
from gateway_contracts.spec.channels import channels
from gateway_contracts.spec.messages import components
from gateway_contracts.spec.operations import operations
from gateway_contracts.topology import Topology

VERSION = "1.0.0"
"""Version of the contract. The major is part of every message's type; a minor only adds."""

_ABOUT = """\
A backend runs WhatsApp accounts by publishing commands to RabbitMQ and consuming events from it.

Commands are idempotent by `id`: a repeat gets the stored outcome again. Every command ends in one
`command.succeeded` or `command.failed` whose `correlationid` is its id. Events come at least once;
tell repeats by `id` and order one session's events by `sequence`. Inside a major version changes
only add: ignore fields that you do not know.

Operations are written from the gateway's side: it receives commands and sends events.
"""


def asyncapi_document(topology: Topology, *, vhost: str) -> dict[str, Any]:
    """Return the document for the names of `topology`."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:gateway-contracts:v1",
        "info": {
            "title": "WhatsApp gateway worker",
            "version": VERSION,
            "description": _ABOUT,
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "localhost:5672",
                "pathname": f"/{vhost}",
                "protocol": "amqp",
                "protocolVersion": "0-9-1",
                "description": "RabbitMQ 3.10 or newer.",
                "security": [{"$ref": "#/components/securitySchemes/account"}],
            }
        },
        "channels": channels(topology, vhost),
        "operations": operations(),
        "components": {
            "securitySchemes": {
                "account": {"type": "userPassword", "description": "A user of the broker."}
            },
            **components(),
        },
    }
