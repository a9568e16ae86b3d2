"""Commands about presence: whether the account is there, and whose presence is told."""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from gateway_contracts.commands.done import Done
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.model import PersonId, WireModel
from gateway_contracts.people import PresenceState


class PresenceSetData(WireModel):
    """How the account is to be shown."""

    state: PresenceState


class PresenceSet(CommandEnvelope):
    """Show that the account is there, or no longer.

    It lasts: after a reconnect, a restart or a move it is shown again. While it is `available`,
    WhatsApp tells the session who is writing, and the phone may show no notifications.
    """

    type: Literal["wa.presence.set.v1"] = "wa.presence.set.v1"
    data: PresenceSetData


class PresenceSubscribeData(WireModel):
    """Whose presence is told."""

    contacts: Annotated[tuple[PersonId, ...], FailFast()] = Field(min_length=1, max_length=50)


class PresenceSubscribe(CommandEnvelope):
    """Have `presence.changed` told of people from now on, 200 of them at most.

    It lasts, as `presence.set` does. WhatsApp tells it only while the account is `available`
    itself, and only of people who let it.
    """

    type: Literal["wa.presence.subscribe.v1"] = "wa.presence.subscribe.v1"
    data: PresenceSubscribeData


class PresenceUnsubscribe(CommandEnvelope):
    """Undo `presence.subscribe`; WhatsApp goes on telling until the session next connects."""

    type: Literal["wa.presence.unsubscribe.v1"] = "wa.presence.unsubscribe.v1"
    data: PresenceSubscribeData


PresenceCommand = PresenceSet | PresenceSubscribe | PresenceUnsubscribe
"""Every command of this family."""

PresenceResult = Done
"""What they return."""
