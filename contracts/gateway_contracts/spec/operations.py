"""The operations of the AsyncAPI document: what the gateway does on its channels."""

from typing import Any

from gateway_contracts.envelope import Envelope
from gateway_contracts.events.worker import WorkerHeartbeat
from gateway_contracts.properties import HEARTBEAT_EXPIRATION, PERSISTENT, TRANSIENT
from gateway_contracts.spec.catalog import COMMANDS, EVENTS, summary_of, type_of
from gateway_contracts.spec.channels import OUTCOME_CHANNEL, OUTCOMES
from gateway_contracts.spec.messages import BINDING_VERSION, key_of


def operations() -> dict[str, Any]:
    """Return what the gateway does: it receives commands and sends events."""
    receiving = {f"receive{model.__name__}": _receive(model) for model in COMMANDS.values()}
    sending = {
        f"send{model.__name__}": _send(model) for model in EVENTS.values() if model not in OUTCOMES
    }
    return {**receiving, **sending, "sendCommandOutcome": _send(*OUTCOMES)}


def _receive(model: type[Envelope]) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": "#/channels/commands"},
        "title": type_of(model),
        "summary": summary_of(model),
        "messages": [_in_channel("commands", model)],
        "bindings": {"amqp": {"ack": True, "bindingVersion": BINDING_VERSION}},
        "reply": {
            "channel": {"$ref": f"#/channels/{OUTCOME_CHANNEL}"},
            "messages": [_in_channel(OUTCOME_CHANNEL, outcome) for outcome in OUTCOMES],
        },
    }


def _send(*models: type[Envelope]) -> dict[str, Any]:
    channel = OUTCOME_CHANNEL if models == OUTCOMES else key_of(models[0])
    alive = models == (WorkerHeartbeat,)
    binding: dict[str, Any] = {
        "deliveryMode": TRANSIENT if alive else PERSISTENT,
        "mandatory": not alive,
        "timestamp": True,
        "bindingVersion": BINDING_VERSION,
    }
    if alive:
        binding["expiration"] = int(HEARTBEAT_EXPIRATION.total_seconds() * 1000)
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "title": "wa.command.*.v1" if models == OUTCOMES else type_of(models[0]),
        "summary": " ".join(summary_of(model) for model in models),
        "messages": [_in_channel(channel, model) for model in models],
        "bindings": {"amqp": binding},
    }


def _in_channel(channel: str, model: type[Envelope]) -> dict[str, str]:
    return {"$ref": f"#/channels/{channel}/messages/{key_of(model)}"}
