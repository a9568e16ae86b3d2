"""What is to be sent as the library's messages."""

from neonize.proto.waE2E import WAWebProtobufsE2E_pb2 as library
from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import ContextInfo, Message

from gateway_worker.host_protocol.methods import SendMessage
from gateway_worker.whatsapp.convert.kinds import COMPOSED, Composing
from gateway_worker.whatsapp.convert.recipients import RecipientError, recipient


def compose(call: SendMessage) -> Message:
    """Return the message of a call.

    Raises:
        RecipientError: A mention or the quoted message's writer is no JID, or the kind is none that
            can be sent.
    """
    kind = COMPOSED.get(call.content.get("kind", ""))
    if kind is None or kind.compose is None:
        raise RecipientError("no content of this kind can be sent")
    message: Message = kind.compose(
        call.content, Composing(library=library, context=_context(call))
    )
    return message


def _context(call: SendMessage) -> ContextInfo | None:
    quoted = call.quoted
    if not call.mentions and quoted is None:
        return None
    context = ContextInfo(mentionedJID=[recipient(one) for one in call.mentions])
    if quoted is not None:
        context.stanzaID = quoted.message_id
        context.participant = recipient(quoted.participant)
        context.quotedMessage.conversation = quoted.text or ""
    return context
