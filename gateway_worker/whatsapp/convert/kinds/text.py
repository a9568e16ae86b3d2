"""Text: plain, or with people named and a message quoted."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short

MAX_TEXT_CHARACTERS: Final = 262_144
"""More than any client sends; what is longer is cut, so that it fits a frame."""
MAX_MENTIONS: Final = 1_024


def _compose(content: Content, composing: Composing) -> Any:
    library, text = composing.library, content["text"]
    if composing.context is None:
        return library.Message(conversation=text)
    extended = library.ExtendedTextMessage(text=text, contextInfo=composing.context)
    return library.Message(extendedTextMessage=extended)


def _plain(value: Any, _people: People) -> Converted:
    return Converted(content=_content(value), is_partial=len(value) > MAX_TEXT_CHARACTERS)


def _extended(value: Any, people: People) -> Converted:
    named = value.contextInfo.mentionedJID
    mentions = [people.named(jid) for jid in named[:MAX_MENTIONS]]
    is_partial = len(value.text) > MAX_TEXT_CHARACTERS or len(named) > MAX_MENTIONS
    content = _content(value.text)
    return Converted(
        content={**content, "mentions": mentions} if mentions else content, is_partial=is_partial
    )


def _content(text: Any) -> dict[str, Any]:
    return {"kind": "text", "text": short(text, MAX_TEXT_CHARACTERS)}


KIND: Final = Kind(
    name="text",
    compose=_compose,
    fields={"conversation": _plain, "extendedTextMessage": _extended},
)
