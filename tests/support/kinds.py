"""The kinds of content as data, `tests/kinds/<kind>.json`: each in the contract and on the wire.

Whoever adds a kind adds its file. It is read by the tests of the host's conversion, of what phones
show and write, of the contract and its examples, and of a whole gateway; one of them holds that
contract, host and files know the same kinds.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import pytest

from gateway_worker.host_protocol.media import Attachment, MediaReference

FILES: Final = Path(__file__).parents[1] / "kinds"
_TARGET: Final = "$target"
T = TypeVar("T")


class Direction(enum.StrEnum):
    """Which ways a content goes as it stands."""

    BOTH = "both"
    ARRIVING = "arriving"
    SENT = "sent"


class About(enum.StrEnum):
    """Whose message a content is about, if it is about one."""

    OWN = "own"
    """Of the content's own writer."""
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A content.

    Attributes:
        kind: Its name in the contract.
        name: Of the case, among those of its kind.
        about: Whose message it is about; None for what stands for itself.
        contract: As a command or an event has it, without `target`.
        wire: The library's `Message` as protojson; `$target` stands for the key of the other
            message. What is sent may have more: times, for instance.
        reference: Where the file is that came with it, bytes as base64; None without one that can
            be fetched.
        attachment: The file that is sent with it, likewise.
        about_kind: The kind of the message that it is about, if that matters.
    """

    kind: str
    name: str
    direction: Direction
    about: About | None
    contract: dict[str, Any]
    wire: dict[str, Any]
    reference: MediaReference | None = None
    attachment: Attachment | None = None
    about_kind: str | None = None

    @property
    def has_media(self) -> bool:
        """Whether a file belongs to it."""
        return "media" in self.contract

    @property
    def is_sent(self) -> bool:
        """Whether the gateway sends it so."""
        return self.direction is not Direction.ARRIVING

    @property
    def arrives(self) -> bool:
        """Whether the gateway is to understand it so."""
        return self.direction is not Direction.SENT

    def wire_about(self, key: dict[str, Any]) -> dict[str, Any]:
        """Return the wire form with the key of another message, as protojson."""
        filled: dict[str, Any] = _filled(self.wire, key)
        return filled


def _filled(value: Any, key: dict[str, Any]) -> Any:
    if value == _TARGET:
        return key
    if isinstance(value, dict):
        return {name: _filled(inner, key) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, key) for inner in value]
    return value


def _read(path: Path) -> list[Case]:
    return [
        Case(
            kind=path.stem,
            name=one["name"],
            direction=Direction(one["direction"]),
            about=About(one["about"]) if "about" in one else None,
            contract=one["contract"],
            wire=one["wire"],
            reference=_read_if_there(one, "reference", MediaReference),
            attachment=_read_if_there(one, "attachment", Attachment),
            about_kind=one.get("about_kind"),
        )
        for one in json.loads(path.read_text())
    ]


def _read_if_there(one: dict[str, Any], name: str, of: type[T]) -> T | None:
    return msgspec.convert(one[name], of) if name in one else None


CASES: Final = tuple(case for path in sorted(FILES.glob("*.json")) for case in _read(path))


def case(kind: str, name: str) -> Case:
    """Return a case by its names."""
    return next(one for one in CASES if (one.kind, one.name) == (kind, name))


def each(*cases: Case) -> pytest.MarkDecorator:
    """Run a test with each of these as `case`."""
    return pytest.mark.parametrize("case", cases, ids=lambda one: f"{one.kind} {one.name}")


def parts_of(expected: Any, found: Any) -> Any:
    """Return what is found, cut down to the fields that are expected, for a comparison."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return {
            name: parts_of(expected[name], inner)
            for name, inner in found.items()
            if name in expected
        }
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [parts_of(one, other) for one, other in zip(expected, found, strict=True)]
    return found
