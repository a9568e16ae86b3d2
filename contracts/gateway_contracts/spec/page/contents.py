"""Puts the page together."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from gateway_contracts.spec.examples import load_examples
from gateway_contracts.spec.page.fields import Schema, definition, fields_of
from gateway_contracts.spec.page.markup import STYLE, code, inline, link, prose, table
from gateway_contracts.spec.schemas import COMMON, CONTENT

_SHARED = {COMMON: "Shared parts", CONTENT: "Contents"}
_DATA = "data"


def contract_page(document: Mapping[str, Any], schemas: Mapping[str, Schema]) -> str:
    """Return the page.

    Args:
        document: The AsyncAPI document.
        schemas: The documents beside it, by the names of their files.
    """
    info = document["info"]
    kinds = {"Commands": _operated(document, "receive"), "Events": _operated(document, "send")}
    title = f"{escape(info['title'])}: the contract, version {escape(info['version'])}"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width">',
        f"<style>{STYLE}</style></head><body>",
        _navigation(kinds, schemas),
        f"<main><h1>{title}</h1>{prose(info['description'])}",
        _channels(document),
    ]
    for kind, names in kinds.items():
        parts.append(f'<h2 id="{kind}">{kind}</h2>')
        parts += [_message(document, name, schemas) for name in names]
    parts += [_shared(name, schemas[name]) for name in _SHARED]
    return "\n".join([*parts, "</main></body></html>", ""])


def _operated(document: Mapping[str, Any], action: str) -> list[str]:
    """Return the types of the messages that the gateway receives or sends, by name."""
    found = {
        _resolved(document, message["$ref"])["name"]
        for operation in document["operations"].values()
        if operation["action"] == action
        for message in operation["messages"]
    }
    return sorted(found)


def _resolved(document: Mapping[str, Any], reference: str) -> Any:
    """Follow references within the document."""
    value: Any = document
    for part in reference.removeprefix("#/").split("/"):
        value = value[part.replace("~1", "/").replace("~0", "~")]
    while isinstance(value, Mapping) and "$ref" in value:
        value = _resolved(document, value["$ref"])
    return value


def _navigation(kinds: Mapping[str, Sequence[str]], schemas: Mapping[str, Schema]) -> str:
    def entries(items: Mapping[str, str]) -> str:
        lines = "".join(f"<li>{link(place, text)}</li>" for place, text in items.items())
        return f"<ul>{lines}</ul>"

    parts = ['<nav><a href="#channels">Channels</a>']
    for kind, names in kinds.items():
        parts.append(f'<p><a href="#{kind}">{kind}</a></p>')
        parts.append(entries({name: _short(name) for name in names}))
    for name, title in _SHARED.items():
        base = name.removesuffix(".json")
        parts.append(f'<p><a href="#{base}">{title}</a></p>')
        parts.append(entries({f"{base}.{part}": part for part in schemas[name]["$defs"]}))
    return "".join([*parts, "</nav>"])


def _short(name: str) -> str:
    return name.removeprefix("wa.").rpartition(".")[0]


def _channels(document: Mapping[str, Any]) -> str:
    rows = []
    for channel in document["channels"].values():
        exchange = channel["bindings"]["amqp"].get("exchange", {}).get("name", "")
        rows.append((code(exchange), code(channel["address"]), inline(channel["description"])))
    return f'<h2 id="channels">Channels</h2>{table(("exchange", "routing key", ""), rows)}'


def _message(document: Mapping[str, Any], name: str, schemas: Mapping[str, Schema]) -> str:
    file = f"{name}.json"
    schema = schemas[file]
    message = next(
        one for one in document["components"]["messages"].values() if one["name"] == name
    )
    parts = [f'<section id="{name}"><h3>{code(name)}</h3>', prose(message["summary"])]
    parts.append(f'<p class="where">{_where(document, name)}</p>')
    definitions = dict(schema.get("$defs", {}))
    data = schema["properties"].get(_DATA, {})
    own = definitions.pop(str(data.get("$ref", "")).removeprefix("#/$defs/"), None)
    if own is None:
        parts.append(fields_of({"properties": {_DATA: data}}, file))
    else:
        parts.append(f'<div id="{name}.{own["title"]}">{fields_of(own, file)}</div>')
    parts += [definition(f"{name}.{part}", value, file) for part, value in definitions.items()]
    parts += _examples(name)
    return "".join([*parts, "</section>\n"])


def _where(document: Mapping[str, Any], name: str) -> str:
    """Say where a message goes, and what answers it."""
    for operation in document["operations"].values():
        messages = [_resolved(document, one["$ref"])["name"] for one in operation["messages"]]
        if name in messages:
            channel = _resolved(document, operation["channel"]["$ref"])
            exchange = channel["bindings"]["amqp"]["exchange"]["name"]
            verb = "Published to" if operation["action"] == "receive" else "Comes from"
            answers = operation.get("reply", {}).get("messages", ())
            answered = [_resolved(document, one["$ref"])["name"] for one in answers]
            said = f"{verb} {code(exchange)}, routing key {code(channel['address'])}."
            ends = " or ".join(link(one, _short(one)) for one in answered)
            return f"{said} Answered by {ends}." if ends else said
    raise LookupError(f"no operation has {name}")


def _examples(name: str) -> Iterator[str]:
    for example in load_examples(name):
        text = json.dumps(example.payload, indent=2, ensure_ascii=False)
        title = escape(example.variant or "example")
        yield f"<details><summary>{title}</summary><pre>{escape(text, quote=False)}</pre></details>"


def _shared(name: str, schema: Schema) -> str:
    base = name.removesuffix(".json")
    parts = [f'<h2 id="{base}">{_SHARED[name]}</h2>']
    parts += [definition(f"{base}.{part}", value, name) for part, value in schema["$defs"].items()]
    return "".join(parts)
