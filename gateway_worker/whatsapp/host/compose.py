"""Outgoing texts as the library's messages."""

from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import ContextInfo, ExtendedTextMessage, Message

from gateway_worker.host_protocol.methods import SendText
from gateway_worker.whatsapp.convert.recipients import recipient


def compose(call: SendText) -> Message:
    """Return the message of a call.

    Raises:
        RecipientError: A mention or the quoted message's writer is no JID.
    """
    quoted = call.quoted
    if not call.mentions and quoted is None:
        return Message(conversation=call.text)
    context = ContextInfo(mentionedJID=[recipient(one) for one in call.mentions])
    if quoted is not None:
        context.stanzaID = quoted.message_id
        context.participant = recipient(quoted.participant)
        context.quotedMessage.conversation = quoted.text or ""
    return Message(extendedTextMessage=ExtendedTextMessage(text=call.text, contextInfo=context))
