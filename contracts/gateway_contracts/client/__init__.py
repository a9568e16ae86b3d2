"""A client of the gateway for a backend in Python; needs the extra `client` (aio-pika).

`GatewayClient` publishes commands with confirms and retries, waits for their outcomes, hands on
events in order and each once, and uploads files. `queues` says what it reads: the service's own
queues, or one for as long as the connection lasts. `connection` stays connected, `order` tells
repeats, `outcomes` hands outcomes to who waits for them. It knows the contract and nothing of the
worker.
"""

from gateway_contracts.client.client import GatewayClient
from gateway_contracts.client.errors import (
    AccessRefusedError,
    BrokerUnreachableError,
    ClientError,
    CommandFailedError,
    NoOutcomeError,
    NotPublishedError,
    UploadError,
)
from gateway_contracts.client.order import EventOrder
from gateway_contracts.client.outcomes import Answer
from gateway_contracts.client.queues import OwnQueues, Queues, TemporaryQueue
from gateway_contracts.client.received import ReceivedEvent

__all__ = [
    "AccessRefusedError",
    "Answer",
    "BrokerUnreachableError",
    "ClientError",
    "CommandFailedError",
    "EventOrder",
    "GatewayClient",
    "NoOutcomeError",
    "NotPublishedError",
    "OwnQueues",
    "Queues",
    "ReceivedEvent",
    "TemporaryQueue",
    "UploadError",
]
