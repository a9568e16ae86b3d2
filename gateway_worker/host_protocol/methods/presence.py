"""Presence: whether the account is there, and whose presence is told."""

from gateway_worker.host_protocol.methods.chats import GESTURE_SECONDS
from gateway_worker.host_protocol.methods.method import Done, Effect, HostLane, Method, WhenLate


class SetPresence(Method[Done], frozen=True, kw_only=True, tag="presence.set"):
    """Show that the account is there, or no longer: `available` or `unavailable`."""

    result = Done
    effect = Effect.IDEMPOTENT
    lane = HostLane.GESTURE
    when_late = WhenLate.LEAVE
    timeout_seconds = GESTURE_SECONDS

    state: str


class SubscribePresence(Method[Done], frozen=True, kw_only=True, tag="presence.subscribe"):
    """Have the presence of people (phone numbers or JIDs) told."""

    result = Done
    effect = Effect.IDEMPOTENT
    lane = HostLane.GESTURE
    when_late = WhenLate.LEAVE
    timeout_seconds = GESTURE_SECONDS

    people: tuple[str, ...]


PresenceCall = SetPresence | SubscribePresence
"""Every method of this family."""
