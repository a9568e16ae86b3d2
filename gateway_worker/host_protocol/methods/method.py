"""What all methods have in common, and their answers.

A method is its parameters; the class says what the answer is, what a call that was interrupted is
worth, and what it waits for. The worker and the host treat all of them alike.
"""

from enum import Enum, auto
from typing import ClassVar, Generic, TypeVar

from gateway_worker.host_protocol.wire import Answer, Wire


class Effect(Enum):
    """What a call does, and so what may follow when nobody knows how it ended."""

    QUERY = auto()
    """Nothing: it may be asked again."""
    IDEMPOTENT = auto()
    """Once more changes nothing more: it may be repeated."""
    ONCE = auto()
    """A second time would be a second effect: the host keeps a journal, and it is not repeated."""


class HostLane(Enum):
    """What a call waits for within its session's host."""

    ORDERED = auto()
    """All ordered calls before it."""
    QUERY = auto()
    """Other queries only."""
    GESTURE = auto()
    """Other gestures only: what is shown of the account must not wait for questions."""
    TRANSFER = auto()
    """Other transfers only: the library holds all of a file in memory."""
    NONE = auto()
    """Nothing: the host's own loop answers, and it must not wait for anything."""


class WhenLate(Enum):
    """What becomes of a call that runs and whose time is up."""

    LEAVE = auto()
    """It is given up, and the connection stays: the library ends it by itself some time."""
    CUT = auto()
    """The connection is cut, which is how the library learns what became of it."""


class Done(Answer, frozen=True, kw_only=True, tag="done"):
    """It has taken effect, and there is nothing more to say."""


R = TypeVar("R", bound=Answer)


class Method(Wire, Generic[R], frozen=True, kw_only=True):
    """What all methods have in common.

    Attributes:
        result: What a call is answered with.
        effect: What it does.
        lane: What it waits for.
        when_late: What becomes of one that runs when its time is up.
        timeout_seconds: How long an answer may take; None: as long as is set for sends.
        ends_host: Whether the host leaves afterwards, as is meant.
    """

    result: ClassVar[type[Answer]]
    effect: ClassVar[Effect]
    lane: ClassVar[HostLane]
    when_late: ClassVar[WhenLate]
    timeout_seconds: ClassVar[float | None] = None
    ends_host: ClassVar[bool] = False
