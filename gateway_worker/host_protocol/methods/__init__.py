"""What a host can be asked for: a module per family, one small class per method.

Each family ends with the union of its methods and that of their answers. A method of a known family
is one class there; a family more is one more in `Call` and `Result`.
"""

from gateway_worker.host_protocol.methods.calls import RejectCall
from gateway_worker.host_protocol.methods.channels import ChannelAnswer, ChannelCall
from gateway_worker.host_protocol.methods.chats import ChatAnswer, ChatCall
from gateway_worker.host_protocol.methods.contacts import ContactAnswer, ContactCall
from gateway_worker.host_protocol.methods.groups import GroupAnswer, GroupCall
from gateway_worker.host_protocol.methods.media import MediaAnswer, MediaCall
from gateway_worker.host_protocol.methods.messages import MessageAnswer, MessageCall
from gateway_worker.host_protocol.methods.method import Done
from gateway_worker.host_protocol.methods.presence import PresenceCall
from gateway_worker.host_protocol.methods.profile import ProfileAnswer, ProfileCall
from gateway_worker.host_protocol.methods.session import SessionAnswer, SessionCall
from gateway_worker.host_protocol.methods.status import Audience, StatusCall

__all__ = ["Call", "Result"]

Call = (
    MessageCall
    | StatusCall
    | ChatCall
    | PresenceCall
    | ContactCall
    | ProfileCall
    | GroupCall
    | MediaCall
    | SessionCall
    | RejectCall
    | ChannelCall
)
"""Every method."""

Result = (
    Done
    | MessageAnswer
    | Audience
    | ChatAnswer
    | ContactAnswer
    | ProfileAnswer
    | GroupAnswer
    | MediaAnswer
    | SessionAnswer
    | ChannelAnswer
)
"""What they are answered with."""
