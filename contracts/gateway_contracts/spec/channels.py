"""The channels of the AsyncAPI document.

A channel is either a kind of routing key on an exchange or a queue. AsyncAPI's AMQP bindings know
no arguments of exchanges and queues; they stand in the extension `x-amqp-arguments`.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gateway_contracts.backend import BackendTopology
from gateway_contracts.envelope import Envelope
from gateway_contracts.events.outcome import CommandFailed, CommandSucceeded
from gateway_contracts.events.worker import WorkerHeartbeat
from gateway_contracts.spec.catalog import COMMANDS, EVENTS, is_worker_event, summary_of
from gateway_contracts.spec.messages import BINDING_VERSION, key_of
from gateway_contracts.topology import ExchangeSpec, QueueSpec, Topology

OUTCOMES = (CommandSucceeded, CommandFailed)
"""The two messages that share one channel: how a command ended."""

OUTCOME_CHANNEL = "commandOutcomes"

_PARAMETERS = {
    "sessionId": {"description": "The session: the command's or event's `subject`."},
    "workerId": {"description": "The worker's id."},
    "eventKey": {"description": "The event's own routing key."},
    "service": {"description": "The backend service's name."},
    "queue": {"description": "The name of the backend's queue, which it has bound by that name."},
    "outcome": {"description": "How the command ended.", "enum": ["succeeded", "failed"]},
}


def channels(topology: Topology, vhost: str) -> dict[str, Any]:
    """Return every channel by name."""
    return {**_keys(topology, vhost), **_queues(topology, vhost)}


def _keys(topology: Topology, vhost: str) -> dict[str, Any]:
    exchanges = {exchange.name: exchange for exchange in topology.exchanges()}
    commands = exchanges[topology.commands]
    result = {
        "commands": _key_channel(
            "{sessionId}",
            "Commands, each with the session it is for as its routing key.",
            commands,
            vhost,
            COMMANDS.values(),
        ),
        "workerCommands": _key_channel(
            topology.worker_key("{workerId}"),
            "Commands for one worker, from a backend that places sessions itself.",
            commands,
            vhost,
            COMMANDS.values(),
        ),
        OUTCOME_CHANNEL: _key_channel(
            "command.{outcome}.{sessionId}",
            "How each command ended; `correlationid` is its id.",
            exchanges[topology.events],
            vhost,
            OUTCOMES,
        ),
    }
    backend = BackendTopology(service="SERVICE", topology=topology)
    (dead,) = backend.exchanges()
    result["backendDead"] = _key_channel(
        "{eventKey}",
        "Events that one backend service has rejected, or had too many of, each under its own "
        "routing key. Made by the operator.",
        replace(dead, name=dead.name.replace("SERVICE", "{service}")),
        vhost,
        (model for model in EVENTS.values() if model is not WorkerHeartbeat),
    )
    result["replays"] = _key_channel(
        "{queue}",
        "Events published once more for `session.replay`, each with the name of the queue it goes "
        "to as its routing key and the header `wa-replayed`.",
        exchanges[topology.replay],
        vhost,
        (model for model in EVENTS.values() if not is_worker_event(model)),
    )
    for message_type, model in EVENTS.items():
        if model not in OUTCOMES:
            subject = "{workerId}" if is_worker_event(model) else "{sessionId}"
            result[key_of(model)] = _key_channel(
                topology.event_key(message_type, subject),
                summary_of(model),
                exchanges[topology.event_exchange(message_type)],
                vhost,
                (model,),
            )
    return result


def _queues(topology: Topology, vhost: str) -> dict[str, Any]:
    shared = {queue.name: queue for queue in topology.queues()}
    backend = BackendTopology(service="SERVICE", topology=topology)
    events = [model for model in EVENTS.values() if model is not WorkerHeartbeat]
    described: list[tuple[str, QueueSpec, str, Iterable[type[Envelope]]]] = [
        (
            "workerQueue",
            topology.worker_queue_spec("WORKER"),
            "Commands for the sessions of one worker. Declared by the worker.",
            COMMANDS.values(),
        ),
        (
            "unassignedQueue",
            shared[topology.unassigned],
            "Commands for sessions that no worker owns. A worker with room takes them.",
            COMMANDS.values(),
        ),
        (
            "deadQueue",
            shared[topology.dead_commands],
            "Commands that nobody could execute, for an operator.",
            COMMANDS.values(),
        ),
        (
            "unroutedEventsQueue",
            shared[topology.events_unrouted],
            "Events that no queue was bound for. Bounded: drops its oldest.",
            events,
        ),
        (
            "backendEventsQueue",
            backend.events_queue(),
            "Events for one backend service. Made by the operator.",
            events,
        ),
        (
            "backendDeadQueue",
            backend.dead_queue(),
            "What one backend service has rejected, or had too many of. Made by the operator.",
            events,
        ),
        (
            "backendHeartbeatsQueue",
            backend.heartbeats_queue(),
            "Heartbeats for one backend service. Made by the operator.",
            (WorkerHeartbeat,),
        ),
        (
            "backendReplayQueue",
            backend.replay_queue(),
            "Replayed events for one backend service. Made by the operator.",
            [model for model in events if not is_worker_event(model)],
        ),
    ]
    return {key: _queue_channel(queue, text, vhost, of) for key, queue, text, of in described}


def _key_channel(
    address: str,
    description: str,
    exchange: ExchangeSpec,
    vhost: str,
    models: Iterable[type[Envelope]],
) -> dict[str, Any]:
    return {
        **_channel(address, description, models),
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": exchange.name,
                    "type": exchange.kind,
                    "durable": True,
                    "autoDelete": False,
                    "vhost": vhost,
                },
                "bindingVersion": BINDING_VERSION,
            }
        },
        "x-amqp-arguments": exchange.arguments,
    }


def _queue_channel(
    queue: QueueSpec, description: str, vhost: str, models: Iterable[type[Envelope]]
) -> dict[str, Any]:
    name = queue.name.replace("WORKER", "{workerId}").replace("SERVICE", "{service}")
    return {
        **_channel(name, description, models),
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {
                    "name": name,
                    "durable": True,
                    "exclusive": False,
                    "autoDelete": False,
                    "vhost": vhost,
                },
                "bindingVersion": BINDING_VERSION,
            }
        },
        "x-amqp-arguments": {
            key: str(value).replace("SERVICE", "{service}") if isinstance(value, str) else value
            for key, value in queue.arguments.items()
        },
    }


def _channel(address: str, description: str, models: Iterable[type[Envelope]]) -> dict[str, Any]:
    parameters = {name: value for name, value in _PARAMETERS.items() if f"{{{name}}}" in address}
    return {
        "address": address,
        "description": description,
        "messages": {
            key_of(model): {"$ref": f"#/components/messages/{key_of(model)}"} for model in models
        },
        **({"parameters": parameters} if parameters else {}),
    }
