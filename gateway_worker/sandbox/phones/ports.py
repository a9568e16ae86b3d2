"""What a phone needs of the service."""

from __future__ import annotations

from typing import Protocol

from gateway_worker.sandbox.service.interface import Directory, Linking, Relay


class Network(Directory, Relay, Linking, Protocol):
    """Accounts and keys, the way of stanzas, and the linking of companions.

    `submit` may wait (a late ack); everything else returns at once or when the companion has
    answered. Calls belong to the service's event loop.
    """
