"""The deletion of a message for everyone."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.recipients import RecipientError


def _compose(_content: Content, composing: Composing) -> Any:
    key, library = composing.about, composing.library
    if not (key.fromMe or key.participant):  # as an admin, and a chat of two has none
        raise RecipientError("in a chat of two only messages of the account's own can be revoked")
    revocation = library.ProtocolMessage(key=key, type=library.ProtocolMessage.REVOKE)
    return library.Message(protocolMessage=revocation)


def _convert(value: Any, _people: People) -> Converted:
    key = type(value.key)()
    key.CopyFrom(value.key)
    key.fromMe = key.fromMe or not key.participant  # as above
    return Converted(content={"kind": "revoke"}, about=key)


KIND: Final = Kind(
    name="revoke",
    compose=_compose,
    fields={"protocolMessage.REVOKE": _convert},
    event="wa.message.revoked.v1",
)
