"""What somebody has chosen among buttons or in a list."""

import json
from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import clean, short

_TEXT_CHARACTERS: Final = 4_096
_PARAMETER_CHARACTERS: Final = 65_536
Texts = dict[str, str | bytes]


def _buttons(value: Any, _people: People) -> Converted:
    return _converted("buttons", {"id": value.selectedButtonID, "title": value.selectedDisplayText})


def _list(value: Any, _people: People) -> Converted:
    chosen = value.singleSelectReply.selectedRowID
    texts: Texts = {"id": chosen, "title": value.title, "description": value.description}
    return _converted("list", texts)


def _template(value: Any, _people: People) -> Converted:
    return _converted("template", {"id": value.selectedID, "title": value.selectedDisplayText})


def _flow(value: Any, _people: People) -> Converted:
    flow = value.nativeFlowResponseMessage
    told = _converted("flow", {"id": _id_in(flow.paramsJSON), "title": value.body.text})
    if not flow.paramsJSON:
        return told
    parameters = {"parameters": short(flow.paramsJSON, _PARAMETER_CHARACTERS)}
    is_cut = told.is_partial or len(flow.paramsJSON) > _PARAMETER_CHARACTERS
    return Converted(content=told.content | parameters, is_partial=is_cut)


def _id_in(parameters: str | bytes) -> str:
    """Return what was chosen, if a flow's answer says it in the usual way."""
    try:
        found = json.loads(clean(parameters)).get("id")
    except (ValueError, AttributeError, RecursionError):  # no JSON, or no object
        return ""
    return found if isinstance(found, str) else ""


def _converted(form: str, texts: Texts) -> Converted:
    told = {key: short(text, _TEXT_CHARACTERS) for key, text in texts.items()}
    content = {"kind": "interactive_reply", "form": form, **told}
    if not content.get("description"):
        content.pop("description", None)
    is_cut = any(len(text) > _TEXT_CHARACTERS for text in texts.values())
    return Converted(content=content, is_partial=is_cut)


KIND: Final = Kind(
    name="interactive_reply",
    compose=None,
    fields={
        "buttonsResponseMessage": _buttons,
        "listResponseMessage": _list,
        "templateButtonReplyMessage": _template,
        "interactiveResponseMessage": _flow,
    },
)
