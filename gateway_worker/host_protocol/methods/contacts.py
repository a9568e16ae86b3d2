"""People, as WhatsApp knows them."""

from gateway_worker.host_protocol.methods.method import Effect, HostLane, Method, WhenLate
from gateway_worker.host_protocol.wire import Answer, Person


class Checked(Answer, frozen=True, kw_only=True, tag="checked"):
    """Who has some numbers.

    Attributes:
        people: One for each number, in their order; None for one that is not on WhatsApp.
        seconds: How long the library needed.
    """

    people: tuple[Person | None, ...]
    seconds: float = 0.0


class CheckContacts(Method[Checked], frozen=True, kw_only=True, tag="contact.check"):
    """Ask who has phone numbers (digits), in whichever way each is written."""

    result = Checked
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = 15.0

    numbers: tuple[str, ...]


ContactCall = CheckContacts
"""Every method of this family."""

ContactAnswer = Checked
"""What they are answered with."""
