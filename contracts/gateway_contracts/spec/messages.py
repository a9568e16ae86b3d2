"""The messages of the AsyncAPI document: payload, AMQP properties, headers and examples.

Payloads and examples are references to the files beside the document.
"""

from typing import Any

from gateway_contracts.envelope import CONTENT_TYPE, Envelope
from gateway_contracts.events.worker import WorkerHeartbeat
from gateway_contracts.properties import HEARTBEAT_EXPIRATION, PERSISTENT, TRANSIENT
from gateway_contracts.spec.catalog import MESSAGES, is_command, summary_of, type_of
from gateway_contracts.spec.examples import load_examples
from gateway_contracts.spec.schemas import schema_file

BINDING_VERSION = "0.3.0"
"""Version of AsyncAPI's AMQP bindings that the document is written in."""

_HEADERS = "MessageHeaders"


def key_of(model: type[Envelope]) -> str:
    """Return the name of a message within the document: `messageSend` for `MessageSend`."""
    name = model.__name__
    return name[0].lower() + name[1:]


def components() -> dict[str, Any]:
    """Return the document's reusable parts: every message, and the headers of all."""
    return {
        "messages": {key_of(model): _message(model) for model in MESSAGES.values()},
        "schemas": {_HEADERS: _headers()},
    }


def _message(model: type[Envelope]) -> dict[str, Any]:
    outcome_of = "id" if is_command(model) else "correlationid"
    return {
        "name": type_of(model),
        "title": model.__name__,
        "summary": summary_of(model),
        "contentType": CONTENT_TYPE,
        "headers": {"$ref": f"#/components/schemas/{_HEADERS}"},
        "payload": {"$ref": f"schemas/{schema_file(type_of(model))}"},
        "correlationId": {
            "description": "The command's id, which its outcome carries.",
            "location": f"$message.payload#/{outcome_of}",
        },
        "bindings": {"amqp": {"messageType": type_of(model), "bindingVersion": BINDING_VERSION}},
        "examples": [
            {"name": example.name, "payload": {"$ref": f"examples/{example.name}.json"}}
            for example in load_examples(type_of(model))
        ],
        "x-amqp-properties": _properties(model),
    }


def _properties(model: type[Envelope]) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "message_id": "$message.payload#/id",
        "correlation_id": "$message.payload#/correlationid",
        "type": "$message.payload#/type",
        "timestamp": "$message.payload#/time",
        "app_id": "$message.payload#/source",
        "content_type": CONTENT_TYPE,
        "delivery_mode": PERSISTENT,
    }
    if model is WorkerHeartbeat:
        properties["delivery_mode"] = TRANSIENT
        properties["expiration"] = str(int(HEARTBEAT_EXPIRATION.total_seconds() * 1000))
    return properties


def _headers() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "AMQP headers. Others may be there and are ignored.",
        "properties": {
            "traceparent": {
                "type": "string",
                "description": "The same as `traceparent` in the body, for tools that look here.",
            },
            "wa-replayed": {
                "type": "boolean",
                "description": "True on an event that is published again for `session.replay`.",
            },
        },
    }
