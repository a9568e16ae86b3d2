"""Outgoing texts as the library's messages."""

from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import ContextInfo, ExtendedTextMessage, Message

from gateway_worker.whatsapp.convert.recipients import recipient
from gateway_worker.whatsapp.ipc.frames import SendText


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
