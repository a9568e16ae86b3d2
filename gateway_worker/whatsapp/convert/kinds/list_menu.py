"""A text with a list to choose from."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway_worker.whatsapp.convert.captions import written
from gateway_worker.whatsapp.convert.flows import (
    MOST_CHOICES,
    TEXT_CHARACTERS,
    flow_message,
    flows_in,
    text_in,
)
from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short

FLOW: Final = "single_select"


def _compose(content: Content, composing: Composing) -> Any:
    sections = [
        {
            "title": section.get("title", ""),
            "rows": [
                {
                    "id": row["id"],
                    "title": row["title"],
                    "description": row.get("description", ""),
                }
                for row in section["rows"]
            ],
        }
        for section in content["sections"]
    ]
    parameters = {"title": content["button"], "sections": sections}
    return flow_message(composing.library, content, [(FLOW, parameters)], composing.context)


def from_flow(value: Any, _people: People) -> Converted:
    """Tell an interactive message with a list."""
    parameters = next(found for name, found in flows_in(value) if name == FLOW)
    sections = [
        _section(
            text_in(section, "title"),
            [
                _row(*(text_in(row, name) for name in ("id", "title", "description")))
                for row in _list_in(section, "rows")
            ],
        )
        for section in _list_in(parameters, "sections")
    ]
    button = text_in(parameters, "title")
    return _converted(value.body.text, value.footer.text, button, sections)


def _plain(value: Any, _people: People) -> Converted:
    sections = [
        _section(
            short(section.title, TEXT_CHARACTERS),
            [
                _row(
                    *(
                        short(text, TEXT_CHARACTERS)
                        for text in (row.rowID, row.title, row.description)
                    )
                )
                for row in section.rows[:MOST_CHOICES]
            ],
        )
        for section in value.sections[:MOST_CHOICES]
    ]
    text = value.description or value.title
    button = short(value.buttonText, TEXT_CHARACTERS)
    return _converted(text, value.footerText, button, sections)


def _list_in(parameters: Any, name: str) -> list[Any]:
    found = parameters.get(name) if isinstance(parameters, dict) else None
    return found[:MOST_CHOICES] if isinstance(found, list) else []


def _row(identity: str, title: str, description: str) -> dict[str, str]:
    told = {"id": identity, "title": title}
    return told | {"description": description} if description else told


def _section(title: str, rows: list[dict[str, str]]) -> dict[str, Any]:
    return {"title": title, "rows": rows} if title else {"rows": rows}


def _converted(
    text: str | bytes, footer: str | bytes, button: str, sections: Sequence[Mapping[str, Any]]
) -> Converted:
    told, is_whole = written(text)
    content: dict[str, Any] = {
        "kind": "list_menu",
        "text": told,
        "button": button,
        "sections": sections,
    }
    if footer:
        content |= {"footer": short(footer, TEXT_CHARACTERS)}
    return Converted(content=content, is_partial=not is_whole)


KIND: Final = Kind(
    name="list_menu", compose=_compose, quote=_compose, fields={"listMessage": _plain}
)
