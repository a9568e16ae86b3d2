"""Text: plain, or with people named, a message quoted and a link's preview."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.captions import mentioned, written
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short

MAX_PREVIEW_CHARACTERS: Final = 8_192
"""Of each part of a link's preview that arrives."""


def _compose(content: Content, composing: Composing) -> Any:
    library, text = composing.library, content["text"]
    preview = content.get("link_preview")
    if composing.context is None and preview is None:
        return library.Message(conversation=text)
    extended = library.ExtendedTextMessage(text=text, contextInfo=composing.context)
    if preview is not None:
        extended.matchedText = preview["url"]
        extended.title = preview.get("title", "")
        extended.description = preview.get("description", "")
        if composing.thumbnail is not None:
            extended.JPEGThumbnail = composing.thumbnail
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
    if value.matchedText:
        content["link_preview"] = _preview(value)
    return Converted(content=content, is_partial=not (is_whole and are_all))


def _preview(value: Any) -> dict[str, Any]:
    """Return what a text shows of a page."""
    fields = {
        "url": short(value.matchedText, MAX_PREVIEW_CHARACTERS),
        "title": short(value.title, MAX_PREVIEW_CHARACTERS),
        "description": short(value.description, MAX_PREVIEW_CHARACTERS),
    }
    return {name: text for name, text in fields.items() if text}


KIND: Final = Kind(
    name="text",
    compose=_compose,
    quote=_compose,
    fields={"conversation": _plain, "extendedTextMessage": _extended},
)
