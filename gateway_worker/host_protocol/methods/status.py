"""Status posts, and who sees them."""

from typing import Final

from gateway_worker.host_protocol.methods.messages import SendMessage
from gateway_worker.host_protocol.methods.method import Effect, HostLane, Method, WhenLate
from gateway_worker.host_protocol.wire import Answer, Wire

AT_ONCE: Final = 100
"""Of how many people the devices are asked for in one query."""


class Reach(Wire, frozen=True, kw_only=True):
    """Whom a post reaches, as far as their devices were looked up.

    Attributes:
        devices: How many devices those have who were looked up.
        without_devices: Those among them of whom WhatsApp names none, as JIDs: they have no account
            any more, or it has refused to say.
        looked_up_by: By which client; another one knows no devices yet.
    """

    devices: int = 0
    without_devices: tuple[str, ...] = ()
    looked_up_by: str = ""

    @property
    def is_nobody(self) -> bool:
        """Whether there are people who would see it, and none of them can be written to."""
        return not self.devices and bool(self.without_devices)

    def continues(self, before: "Reach") -> bool:
        """Whether the same client has looked up this and what was before."""
        return self.looked_up_by == before.looked_up_by

    def and_then(self, more: "Reach") -> "Reach":
        """Return this together with what a further look-up of the same client has found."""
        return Reach(
            devices=self.devices + more.devices,
            without_devices=self.without_devices + more.without_devices,
            looked_up_by=more.looked_up_by,
        )


class Audience(Answer, frozen=True, kw_only=True, tag="audience"):
    """Who sees the account's status posts.

    Attributes:
        setting: What the account's phone is set to, by the contract's name.
        recipients: How many people that are now, the account itself not counted.
        prepared: After how many of them the look-up of devices has come.
        reach: What this part of the look-up has found.
    """

    setting: str
    recipients: int
    prepared: int
    reach: Reach = Reach()


class PostStatus(SendMessage, frozen=True, kw_only=True, tag="status.post"):
    """Send a message to all who see the account's status posts, or the deletion of one.

    The library encrypts for each of their devices before anything leaves; meanwhile the session
    sends nothing else. It has minutes, for there may be thousands.

    Attributes:
        reach: What a look-up has found for those who see it. Those without devices are asked about
            again, and all of them where another client has looked.
    """

    timeout_seconds = 600.0

    reach: Reach = Reach()


class PrepareAudience(Method[Audience], frozen=True, kw_only=True, tag="status.audience"):
    """Find out who sees the account's status posts, and look up the devices of some of them.

    Asked again and again until all are known, it leaves little for the post itself to do.

    Attributes:
        begin: Of how many of them that has been done; 0 finds out anew who they are.
        count: Of how many more it is to be done; 0, with `begin` 0, only asks who they are.
    """

    result = Audience
    effect = Effect.QUERY
    lane = HostLane.QUERY
    when_late = WhenLate.LEAVE
    timeout_seconds = 60.0

    begin: int = 0
    count: int = AT_ONCE


StatusCall = PostStatus | PrepareAudience
"""Every method of this family."""
