"""Status posts, and who sees them."""

from typing import Final

from gateway_worker.host_protocol.methods.messages import SendMessage
from gateway_worker.host_protocol.methods.method import Effect, HostLane, Method, WhenLate
from gateway_worker.host_protocol.wire import Answer

AT_ONCE: Final = 100
"""Of how many people the devices are asked for in one query."""


class Audience(Answer, frozen=True, kw_only=True, tag="audience"):
    """Who sees the account's status posts.

    Attributes:
        setting: What the account's phone is set to, by the contract's name.
        recipients: How many people that are now, the account itself not counted.
        prepared: After how many of them the look-up of devices has come.
        devices: How many devices those have that were looked up in this part.
        without_devices: Those among them of whom WhatsApp names none, as JIDs: they have no account
            any more, or it has refused to say.
        looked_up_by: By which client; another one knows no devices yet.
    """

    setting: str
    recipients: int
    prepared: int
    devices: int = 0
    without_devices: tuple[str, ...] = ()
    looked_up_by: str = ""


class PostStatus(SendMessage, frozen=True, kw_only=True, tag="status.post"):
    """Send a message to all who see the account's status posts, or the deletion of one.

    The library encrypts for each of their devices before anything leaves; meanwhile the session
    sends nothing else. It has minutes, for there may be thousands.

    Attributes:
        devices: How many devices a look-up has found for those who see it.
        without_devices: Those for whom it has found none, as JIDs; they are asked about again.
        looked_up_by: Which client has looked them up; for another one they all are looked up now.
    """

    timeout_seconds = 600.0

    devices: int = 0
    without_devices: tuple[str, ...] = ()
    looked_up_by: str = ""


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
