"""What results and events look like to a person, and what of them is personal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from gateway_contracts.personal import personal_fields
from gateway_worker.ctl.output import plain

Item = dict[str, Any]

HIDDEN: Final = "(hidden)"
_KEPT_WHOLE: Final = frozenset({"error"})
"""Parts that the gateway has written, by rules that keep people out of them."""
_LONGEST_LINE: Final = 200
_FIRST: Final = ("content.", "state", "status", "error.")
_LEFT_OUT: Final = frozenset({"session_metadata"})


@cache
def _personal() -> frozenset[str]:
    return personal_fields()


def without_personal(value: Item) -> Item:
    """Return data of the contract without what tells of a person or can be used as one."""
    return {name: _shown(name, part) for name, part in value.items()}


def _shown(name: str, value: Any) -> Any:
    if name in _KEPT_WHOLE:
        return value
    if name in _personal():
        return HIDDEN
    if isinstance(value, dict):
        return without_personal(value)
    if isinstance(value, list):
        return [without_personal(one) if isinstance(one, dict) else one for one in value]
    return value


def flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield every value that has no parts, under the names that lead there."""
    for name, part in value.items():
        if isinstance(part, Mapping):
            yield from flat(part, f"{prefix}{name}.")
        elif isinstance(part, Sequence) and not isinstance(part, str):
            if all(not isinstance(one, Mapping | Sequence) or isinstance(one, str) for one in part):
                yield f"{prefix}{name}", ", ".join(map(str, part))
            else:
                for index, one in enumerate(part):
                    nested = one if isinstance(one, Mapping) else {"": one}
                    yield from flat(nested, f"{prefix}{name}.{index}.")
        else:
            yield f"{prefix}{name}", part


def lines(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield a result line by line, aligned."""
    rows = [(name, shown(part)) for name, part in flat(value)]
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        yield f"{plain(name):<{width}}  {plain(text)}".rstrip()


def shown(value: object) -> str:
    """Return one value as text."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def rows(items: Iterable[Item]) -> list[dict[str, object]]:
    """Return items as rows of a table: each value without parts is a cell."""
    found = [{name: part for name, part in flat(item) if part not in (None, "")} for item in items]
    names = list(dict.fromkeys(name for row in found for name in row))
    return [{name: shown(row.get(name)) for name in names} for row in found]


def session_row(item: Item) -> Item:
    """Return what a list shows of a session."""
    return {
        "session": item["session"],
        "state": item["state"],
        "worker": item.get("worker"),
        "reason": item.get("reason"),
        "created_at": item.get("created_at"),
        "labels": ", ".join(f"{name}={value}" for name, value in item.get("labels", {}).items()),
    }


def message_row(item: Item) -> Item:
    """Return what a list shows of a stored message."""
    content = item.get("content", {})
    said = content.get("text") or content.get("caption")
    return {
        "timestamp": item["timestamp"],
        "direction": item["direction"],
        "chat": item["chat_id"],
        "kind": content.get("kind"),
        "state": item.get("state"),
        "message_id": item["message_id"],
        "text": said,
    }


def event_line(event: Item) -> str:
    """Return one event as one line."""
    data = event.get("data", {})
    sequence = str(event.get("sequence") or "").lstrip("0")
    kind = str(event["type"]).removeprefix("wa.").rsplit(".", 1)[0]
    told = [(name, part) for name, part in flat(data) if _is_told(name, part)]
    told.sort(key=lambda one: not one[0].startswith(_FIRST))  # long lines lose what comes last
    parts = [f"{name}={shown(part)}" for name, part in told]
    line = f"{event['time']}  {event['subject']}  {sequence:>6}  {kind:<22}  {' '.join(parts)}"
    text = plain(line)
    return text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 1]}…"


def _is_told(name: str, value: object) -> bool:
    outermost = name.partition(".")[0]
    return value not in (None, "", HIDDEN, False) and outermost not in _LEFT_OUT
