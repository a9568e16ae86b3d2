"""Connections that end, and stanzas that no device sends."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.sandbox import Sandbox


def disconnect(sandbox: Sandbox, phone: Phone, body: models.EndStream) -> models.Ended:
    """Cut companions' connections, or end them with a stream error; returns how many."""
    if body.stream is None:
        count = sandbox.connections.drop(phone.number, device=body.device)
    else:
        count = sandbox.connections.end(phone.number, body.stream, device=body.device)
    return models.Ended(connections=count)


def inject(sandbox: Sandbox, phone: Phone, body: models.Injection) -> models.Ended:
    """Send companions that are connected any stanza, as it stands; returns to how many."""
    count = sandbox.connections.inject(phone.number, body.value(), device=body.device)
    return models.Ended(connections=count)


def push(sandbox: Sandbox, phone: Phone, body: models.Push) -> models.Pushed:
    """Send companions any stanza as the service does; returns how many get it."""
    count = sandbox.connections.push(phone.number, body.value(), device=body.device)
    return models.Pushed(devices=count)


OPERATIONS: Final = (
    Operation(
        name="disconnect",
        route="POST /phones/{number}/disconnect",
        run=disconnect,
        returns="connections",
        positional=("stream",),
    ),
    Operation(
        name="inject",
        route="POST /phones/{number}/stanza",
        run=inject,
        returns="connections",
        whole="stanza",
    ),
    Operation(
        name="push",
        route="POST /phones/{number}/push",
        run=push,
        returns="devices",
        whole="stanza",
    ),
)
