"""Calls."""

from typing import Final

from gateway_worker.host_protocol.methods.method import Done, Effect, HostLane, Method, WhenLate

WRITE_SECONDS: Final = 10.0
"""How long a stanza that nobody answers may take to leave."""


class RejectCall(Method[Done], frozen=True, kw_only=True, tag="call.reject"):
    """Refuse a call that rings.

    Attributes:
        call_id: Which call.
        caller: Whose it is (a number or a JID), as WhatsApp has named the caller.
    """

    result = Done
    effect = Effect.IDEMPOTENT
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = WRITE_SECONDS

    call_id: str
    caller: str
