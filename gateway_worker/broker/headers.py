"""The AMQP headers that workers put on what they send on, and which headers can be believed.

Whoever publishes chooses the headers. What says how a message came to be where it is counts only on
messages that a worker has published, which the broker tells by their exchange.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from aio_pika.abc import AbstractIncomingMessage
from pamqp import encode

from gateway_contracts.model import TRACEPARENT_PATTERN

FROM = "wa-from"
"""The worker whose queue a command was first forwarded from."""
HOPS = "wa-hops"
"""How often it was forwarded."""
STAGE = "wa-stage"
"""The change of owner that ended the queue it was first in; see `commands/handover_path.py`."""
HOP = "wa-hop"
"""The change of owner along which it was forwarded last."""
CONTROL = "wa-control"
"""What a message among workers says; commands have none."""
KEY = "wa-key"
"""The routing key that a forwarded command was first published with."""
PROBE = "probe"
"""Of `CONTROL`: it is looked for where it comes out, and says nothing else."""
ATTEMPT = "wa-attempt"
"""How often a command was tried before it waited in a retry tier."""
EXCESS = "wa-excess"
"""Why a forwarded command was more than might wait where it was first: it is to be refused."""
TENANT = "wa-tenant"
"""For whom a worker has verified a command; see `tenants`."""
AUTHORIZATION = "authorization"
"""A sender's token. It is no worker's to keep, and in no dead letter."""

GATEWAYS = "wa-"
"""What the names of the gateway's own headers begin with."""
TRACEPARENT: Final = "traceparent"
_TRACING: Final[Mapping[str, Callable[[str], object]]] = {
    TRACEPARENT: re.compile(TRACEPARENT_PATTERN).fullmatch,
    "tracestate": re.compile(r"[\x20-\x7e]{1,512}").fullmatch,
}
"""Headers for tracing, and what they have to look like: they go on with a message, and with what
workers add to it they have to fit into one frame."""
KEPT_BYTES = 32_768
"""A header frame holds 128 KiB at most by default."""
SHORT_BYTES = 1_024
_ROUTING = frozenset({"CC", "BCC"})
"""Further routing keys for RabbitMQ. Sent on with a message they would multiply it each time."""


def own_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers without those that RabbitMQ acts upon.

    RabbitMQ 3.x takes an inherited `x-death` for a loop and drops the message.
    """
    return {
        name: value
        for name, value in headers.items()
        if not name.startswith("x-") and name not in _ROUTING
    }


def forwarded_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return what goes on with a message: the gateway's headers, and those for tracing.

    The rest means nothing to a worker, and may be what no client library would encode again, or
    more than has room in a frame beside what workers say.
    """
    return {
        name: value
        for name, value in headers.items()
        if name.startswith(GATEWAYS) or _is_for_tracing(name, value)
    }


def traceparent_in(headers: Mapping[str, Any]) -> str | None:
    """Return what the headers say of a trace; None if that is nothing, or cannot be one."""
    value = headers.get(TRACEPARENT)
    return value if isinstance(value, str) and _is_for_tracing(TRACEPARENT, value) else None


def _is_for_tracing(name: str, value: object) -> bool:
    fits = _TRACING.get(name)
    return fits is not None and isinstance(value, str) and fits(value) is not None


def kept_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a dead letter keeps of foreign headers: all, or short values if that is too much.

    More than a frame holds, or what can be read but not written, would cost the connection, or
    would never be stored.
    """
    own = own_headers(headers)
    if _encoded_bytes(own) <= KEPT_BYTES:
        return own
    kept: dict[str, Any] = {}
    room = float(KEPT_BYTES)
    for name, value in own.items():
        size = _encoded_bytes({name: value})
        if size <= SHORT_BYTES and size <= room:
            kept[name] = value
            room -= size
    return kept


def _encoded_bytes(headers: Mapping[str, Any]) -> float:
    try:
        return len(encode.field_table(dict(headers)))
    except Exception:  # noqa: BLE001 - whatever the sender has brought about
        return float("inf")


def take_away_claims(message: AbstractIncomingMessage) -> tuple[str, ...]:
    """Remove the gateway's headers from a message that no worker has published; return their names.

    With them goes the sender's token, which nobody needs any more.

    Only names that the gateway knows are returned: the others are the sender's, and not for logs.
    """
    headers = message.headers
    headers.pop(AUTHORIZATION, None)
    claimed = [name for name in headers if name.startswith(GATEWAYS)]
    for name in claimed:
        del headers[name]
    return tuple(sorted(name for name in claimed if name in _KNOWN)) or (
        ("other",) if claimed else ()
    )


_KNOWN = frozenset({FROM, HOPS, STAGE, HOP, CONTROL, KEY, ATTEMPT, EXCESS, TENANT})
