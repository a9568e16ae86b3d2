"""The AMQP headers that workers put on what they send on."""

from collections.abc import Mapping
from typing import Any

FROM = "wa-from"
"""The worker whose queue a command was first forwarded from."""
HOPS = "wa-hops"
"""How often it was forwarded."""
STAGE = "wa-stage"
"""The change of owner that ended the stint in whose queue it was first; see `commands/chain.py`."""
HOP = "wa-hop"
"""The change of owner along which it was forwarded last."""
CONTROL = "wa-control"
"""What a message among workers says; commands have none."""
ATTEMPT = "wa-attempt"
"""How often a command was tried before it waited in a retry tier."""


def own_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers without the broker's.

    RabbitMQ 3.x takes an inherited `x-death` for a loop and drops the message.
    """
    return {name: value for name, value in headers.items() if not name.startswith("x-")}
