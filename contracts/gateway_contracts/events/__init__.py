"""Events v1. Published at least once; dedupe by `id`; `sequence` orders one session's events.

Each module is a family and ends with the union of its events. An event of a known family is one
class there; a family more is one more line here.
"""

from typing import Annotated

from pydantic import Field

from gateway_contracts.events.analytics import AnalyticsEvent
from gateway_contracts.events.bulk import BulkEvent
from gateway_contracts.events.call import CallEvent
from gateway_contracts.events.change import ChangeEvent
from gateway_contracts.events.chat import ChatEvent, ChatRead
from gateway_contracts.events.contact import ContactEvent
from gateway_contracts.events.group import GroupEvent
from gateway_contracts.events.history import HistoryEvent
from gateway_contracts.events.media import MediaEvent
from gateway_contracts.events.message import ArrivingMessage, MessageEvent, UndecryptableReason
from gateway_contracts.events.outcome import CommandOutcome
from gateway_contracts.events.presence import PresenceEvent
from gateway_contracts.events.privacy import PrivacyEvent
from gateway_contracts.events.session import LifecycleEvent
from gateway_contracts.events.status import StatusArrival, StatusProgress
from gateway_contracts.events.worker import WorkerEvent
from gateway_contracts.people import Participant
from gateway_contracts.states import SessionState

__all__ = [
    "Arriving",
    "Event",
    "Notice",
    "Participant",
    "SessionEvent",
    "SessionState",
    "UndecryptableReason",
]

Notice = CallEvent | GroupEvent | PresenceEvent | ContactEvent
"""Every event of something that has happened on WhatsApp and is no message in a chat.

One that arrives twice is told once; its `id` says what it is.
"""

Arriving = ArrivingMessage | ChangeEvent | StatusArrival | ChatRead | HistoryEvent | Notice
"""Every event of something that came from WhatsApp."""

_OfSessions = (
    LifecycleEvent
    | Arriving
    | MessageEvent
    | ChatEvent
    | MediaEvent
    | StatusProgress
    | CommandOutcome
    | BulkEvent
    | AnalyticsEvent
    | PrivacyEvent
)

SessionEvent = Annotated[_OfSessions, Field(discriminator="type")]
"""Every event of a session, told apart by `type`."""

Event = Annotated[_OfSessions | WorkerEvent, Field(discriminator="type")]
"""Every event of this version, told apart by `type`."""
