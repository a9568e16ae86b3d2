"""Odd values in every place: schema and gateway say the same of each.

Of a command, whether it is one; and whatever an event may say fits its schema.
"""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway_contracts import CommandRejectedError, Event, encode, parse_command
from gateway_contracts.envelope import Envelope
from gateway_contracts.spec.catalog import COMMANDS, MESSAGES
from gateway_contracts.spec.examples import Example, load_examples
from tests.contracts.support import message_validator, part_validator

ABSENT: Final = object()
LATER: Final = "of_a_later_version"
NUMBERS: Final = (0, -1, 1.0, 1.5, -0.0, 42.0, 2**31, 2**63, 10**30, 1e300, 5e-324)
TEXTS: Final = (
    *("", " ", "1", "a", "a b", "A_b-1", "Ä", "\N{KEY}", "a\0", "a\n", "\u2028", "{{", "/", ".."),
    *("x" * length for length in (26, 64, 65, 129, 257, 1_025, 65_537)),
    "\N{KEY}" * 64,
)
NAMES: Final = (
    *("+15550100002", "0155501", "1555-0100", "15550100002:7@s.whatsapp.net", "1@lid"),
    *("120363025550100001@g.us", "120363025550100002@newsletter", "status@broadcast"),
    *("media/a/b.pdf", "media/../a", "text/plain", "TEXT/plain", "https://a.example/b", "http://"),
    *("Europe/Berlin", "21:30", "24:00", "#12AB9f", "acme.support", "acme.eu.support", "_fleet"),
)
TIMES: Final = (
    *("2026-11-24", "20261124", "2026-W48-2", "2026-02-30", "1764460800", "2026-11-24T09:20:00"),
    *(f"2026-11-24T09:20:00{rest}" for rest in ("Z", ".123456789Z", "-00:00", "+10:99", "+24:00")),
    *("2026-11-24t09:20:00z", "2026-11-24 09:20:00Z", "2026-11-24T24:00:00Z"),
)
CONTAINERS: Final[tuple[Any, ...]] = (
    *([], {}, [None], [""], ["a", "a"], ["+15550100002"], [{}], [[]], ["+15550100002"] * 300),
    *({"kind": "text"}, {"kind": None}, {"source": "upload", "media_id": "a"}),
    *({name: "x"} for name in ("", "a b", "1", "Ä", "a\0", "x" * 64, "x" * 65)),
)
ODD: Final = (ABSENT, None, True, False, *NUMBERS, *TEXTS, *NAMES, *TIMES, *CONTAINERS)
FEW: Final[tuple[Any, ...]] = (None, "a", {"kind": "text"})
"""For a field that nobody knows."""
BEYOND_SCHEMAS: Final = ("bytes in UTF-8", "until must not be before since")
"""What no schema can say: it counts characters, and compares no fields."""
TAGS: Final = {(name,) for name in ("kind", "mode", "source", "method", "what")}
_EVENTS: Final[TypeAdapter[Event]] = TypeAdapter(Event)


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A place that values are put into.

    Attributes:
        model: The part of the command that it is in.
        at: Where that stands.
        path: From there to the place.
    """

    model: type[BaseModel]
    at: tuple[str | int, ...]
    path: tuple[str | int, ...]


def spots_in(
    value: BaseModel, at: tuple[str | int, ...], seen: set[tuple[Any, ...]]
) -> Iterator[Spot]:
    """Yield the places of a part, each field once over all commands, and of those in it."""
    model = type(value)
    for name in (*model.model_fields, LATER):
        holder = holder_of(model, name)
        for path, inner in below((name,), getattr(value, name, None)):
            known_as = (holder, *(one if isinstance(one, str) else "[]" for one in path))
            if known_as not in seen:
                seen.add(known_as)
                yield Spot(model=model, at=at, path=path)
            if isinstance(inner, BaseModel):
                yield from spots_in(inner, (*at, *path), seen)


def holder_of(model: type[BaseModel], name: str) -> type:
    """Return the class that a field comes from; of what says the type that is one for all."""
    if name == "type" and issubclass(model, Envelope):
        return Envelope
    own = (one for one in model.__mro__ if name in inspect.get_annotations(one))
    return next(own, model)


def below(path: tuple[str | int, ...], value: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield a field, and what is in it up to the next models."""
    yield path, value
    if isinstance(value, tuple):
        for place, item in enumerate(value):
            yield from below((*path, place), item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from below((*path, key), item)


def read_event(body: bytes) -> Event:
    """Read an event as it was written. Raises `ValidationError`."""
    return _EVENTS.validate_json(body, strict=True)


def spots(
    examples: list[Example], read: Callable[[bytes], Envelope]
) -> list[tuple[bytes, list[Spot]]]:
    """Return messages with all that their models say, and their places.

    Those are none that another one has before it.
    """
    seen: set[tuple[Any, ...]] = set()
    messages = [read(json.dumps(example.payload).encode()) for example in examples]
    return [(encode(one), list(spots_in(one, (), seen))) for one in messages]


ASKED: Final = [one for one in load_examples() if one.type in COMMANDS]
TOLD: Final = [one for one in load_examples() if one.type not in COMMANDS]
OF_COMMANDS: Final = spots(ASKED, parse_command)
OF_EVENTS: Final = spots(TOLD, read_event)


@cache
def validator_of(model: type[BaseModel]) -> Any:
    """Return a validator of a part: of the whole command, that of its type."""
    message_type = next((name for name, one in MESSAGES.items() if one is model), None)
    return message_validator(message_type) if message_type else part_validator(model.__name__)


def node_at(node: Any, path: tuple[str | int, ...]) -> Any:
    """Return what stands there."""
    for part in path:
        node = node[part]
    return node


def put(node: Any, key: str | int, value: Any) -> bool:
    """Put a value into a place, or take away what is there; whether that can be done."""
    if value is not ABSENT:
        node[key] = value
        return True
    if isinstance(node, list) or key not in node:
        return False
    del node[key]
    return True


def put_back(node: Any, before: Any) -> None:
    """Have a list or an object be what it was."""
    node.clear()
    if isinstance(node, list):
        node.extend(before)
    else:
        node.update(before)


def refusal(payload: Any) -> CommandRejectedError | None:
    """Return why the gateway does not take a command."""
    try:
        parse_command(json.dumps(payload).encode())
    except CommandRejectedError as rejected:
        return rejected
    return None


def differs(whole: Any, part: Any, spot: Spot) -> bool:
    """Whether schema and gateway disagree about a command with a value in a place.

    What a part may be is said by its own schema, but for the word that tells which part it is.
    """
    is_tag = spot.at != () and spot.path in TAGS
    model, node = (COMMANDS[whole["type"]], whole) if is_tag else (spot.model, part)
    fits, rejected = validator_of(model).is_valid(node), refusal(whole)
    if rejected is None or not fits:
        return bool(fits) is not (rejected is None)
    return not all(
        any(said in fault.detail for said in BEYOND_SCHEMAS) for fault in rejected.error.errors
    )


def changed(text: bytes, places: list[Spot]) -> Iterator[tuple[Spot, Any, Any]]:
    """Yield a message with each value in each place: the place, the value, the message."""
    for spot in places:
        *holders, last = spot.path
        payload = json.loads(text)
        node = node_at(payload, (*spot.at, *holders))
        before = copy.copy(node)
        for value in FEW if last == LATER else ODD:
            if put(node, last, value):
                yield spot, "nothing" if value is ABSENT else value, payload
            put_back(node, before)


@pytest.mark.parametrize(("text", "places"), OF_COMMANDS, ids=[one.name for one in ASKED])
def test_schema_and_gateway_say_the_same(text: bytes, places: list[Spot]) -> None:
    """Each field of each part once, in the first example that has it."""
    assert [
        (*spot.at, *spot.path, value)
        for spot, value, payload in changed(text, places)
        if differs(payload, node_at(payload, spot.at), spot)
    ] == []


@pytest.mark.parametrize(("text", "places"), OF_EVENTS, ids=[one.name for one in TOLD])
def test_whatever_an_event_may_say_fits_its_schema(text: bytes, places: list[Spot]) -> None:
    """As it is written, by the part that it is in."""
    found = []
    for spot, value, payload in changed(text, places):
        try:
            written = json.loads(encode(read_event(json.dumps(payload).encode())))
            fits = validator_of(spot.model).is_valid(node_at(written, spot.at))
        except (ValidationError, LookupError, TypeError):  # no event, or another part of one
            continue
        if not fits:
            found.append((*spot.at, *spot.path, value))
    assert found == []


def test_most_places_are_looked_at() -> None:
    """Each field of each part that an example shows."""
    for found in (OF_COMMANDS, OF_EVENTS):
        assert sum(len(places) for _, places in found) > 300
    assert len(ODD) > 35
