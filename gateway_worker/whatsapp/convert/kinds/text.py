"""Text: plain, or with people named and a message quoted."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.captions import mentioned, written
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People


def _compose(content: Content, composing: Composing) -> Any:
    library, text = composing.library, content["text"]
    if composing.context is None:
        return library.Message(conversation=text)
    extended = library.ExtendedTextMessage(text=text, contextInfo=composing.context)
    return library.Message(extendedTextMessage=extended)


def _plain(value: Any, _people: People) -> Converted:
    text, is_whole = written(value)
    return Converted(content={"kind": "text", "text": text}, is_partial=not is_whole)


def _extended(value: Any, people: People) -> Converted:
    text, is_whole = written(value.text)
    mentions, are_all = mentioned(value, people)
    content: dict[str, Any] = {"kind": "text", "text": text}
    if mentions:
        content["mentions"] = mentions
    if value.contextInfo.nonJIDMentions:
        content["mention_all"] = True
    return Converted(content=content, is_partial=not (is_whole and are_all))


KIND: Final = Kind(
    name="text",
    compose=_compose,
    quote=_compose,
    fields={"conversation": _plain, "extendedTextMessage": _extended},
)
