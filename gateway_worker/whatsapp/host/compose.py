"""Outgoing texts as the library's messages."""

from typing import Final

from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import ContextInfo, ExtendedTextMessage, Message

from gateway_worker.whatsapp.convert.people import PHONE_SERVER, without_device
from gateway_worker.whatsapp.ipc.frames import SendText

_SERVERS: Final = frozenset({PHONE_SERVER, "lid", "g.us"})


class RecipientError(ValueError):
    """A JID or number that nothing can be sent to."""


def recipient(text: str) -> str:
    """Return whom to send to as a JID without a device, from a JID or a phone number.

    Raises:
        RecipientError: It is neither.
    """
    user, at, server = without_device(text.removeprefix("+")).partition("@")
    digits = user.replace("-", "", 1) if server == "g.us" else user
    if not (digits.isascii() and digits.isdigit()):
        raise RecipientError("neither a JID nor a phone number")
    if at and server not in _SERVERS:
        raise RecipientError("the JID's server is unknown")
    return f"{user}@{server or PHONE_SERVER}"


def compose(request: SendText) -> Message:
    """Return the message of a request.

    Raises:
        RecipientError: A mention or the quoted message's writer is no JID.
    """
    if not request.mentions and request.quoted_id is None:
        return Message(conversation=request.text)
    context = ContextInfo(mentionedJID=[recipient(one) for one in request.mentions])
    if request.quoted_id is not None:
        context.stanzaID = request.quoted_id
        if request.quoted_participant is not None:
            context.participant = recipient(request.quoted_participant)
        context.quotedMessage.conversation = request.quoted_text or ""
    return Message(extendedTextMessage=ExtendedTextMessage(text=request.text, contextInfo=context))
