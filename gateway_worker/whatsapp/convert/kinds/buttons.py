"""A text with buttons."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.captions import written
from gateway_worker.whatsapp.convert.flows import (
    MOST_CHOICES,
    TEXT_CHARACTERS,
    flow_message,
    flows_in,
    text_in,
)
from gateway_worker.whatsapp.convert.kinds import list_menu
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short


def _compose(content: Content, composing: Composing) -> Any:
    flows = [
        ("quick_reply", {"display_text": button["title"], "id": button["id"]})
        for button in content["buttons"]
    ]
    return flow_message(composing.library, content, list(flows), composing.context)


def _flow(value: Any, people: People) -> Converted:
    flows = list(flows_in(value))
    if any(name == list_menu.FLOW for name, _ in flows):
        return list_menu.from_flow(value, people)
    buttons = [
        {"id": text_in(parameters, "id"), "title": text_in(parameters, "display_text")}
        for _, parameters in flows
    ]
    return _converted(value.body.text, value.footer.text, buttons)


def _plain(value: Any, _people: People) -> Converted:
    buttons = [
        {
            "id": short(button.buttonID, TEXT_CHARACTERS),
            "title": short(button.buttonText.displayText, TEXT_CHARACTERS),
        }
        for button in value.buttons[:MOST_CHOICES]
    ]
    return _converted(value.contentText, value.footerText, buttons)


def _template(value: Any, people: People) -> Converted:
    """Tell what a business has sent by WhatsApp's own interface for businesses."""
    if value.HasField("interactiveMessageTemplate"):
        return _flow(value.interactiveMessageTemplate, people)
    is_new = value.HasField("hydratedTemplate")
    filled = value.hydratedTemplate if is_new else value.hydratedFourRowTemplate
    buttons = []
    for button in filled.hydratedButtons[:MOST_CHOICES]:
        use = button.WhichOneof("hydratedButton")
        if use is None:
            continue
        identity = button.quickReplyButton.ID if use == "quickReplyButton" else ""
        title = getattr(button, use).displayText
        buttons.append(
            {"id": short(identity, TEXT_CHARACTERS), "title": short(title, TEXT_CHARACTERS)}
        )
    text = filled.hydratedContentText or filled.hydratedTitleText
    return _converted(text, filled.hydratedFooterText, buttons)


def _converted(text: str | bytes, footer: str | bytes, buttons: list[dict[str, str]]) -> Converted:
    told, is_whole = written(text)
    content: dict[str, Any] = {
        "kind": "buttons",
        "text": told,
        "buttons": buttons,
    }
    if footer:
        content |= {"footer": short(footer, TEXT_CHARACTERS)}
    return Converted(content=content, is_partial=not is_whole)


KIND: Final = Kind(
    name="buttons",
    compose=_compose,
    quote=_compose,
    fields={
        "interactiveMessage": _flow,
        "buttonsMessage": _plain,
        "templateMessage": _template,
    },
)
