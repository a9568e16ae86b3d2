"""What the rows of a bulk have in common, and how a row's own values get into it."""

import re
from collections.abc import Sequence
from typing import Final

import orjson
from pydantic import TypeAdapter, ValidationError

from gateway_contracts import BulkRow, ContentToSend, FieldError, faults_of
from gateway_worker.errors import InvalidCommandError

_CONTENTS: Final[TypeAdapter[ContentToSend]] = TypeAdapter(ContentToSend)
_PLACE: Final = re.compile(rb"\{\{ {0,9}([A-Za-z_][A-Za-z0-9_]{0,63}) {0,9}\}\}")
_ODD_PLACE: Final = re.compile(rb"\{\{[^{}]{0,99}\}\}")
"""What somebody has meant for a place, and would be sent to everybody as it stands."""
MOST_PLACES: Final = 256
"""Of variables in a content: each is filled in for each row."""
_MOST_BYTES: Final = 524_288
"""Of a content that is filled in, as JSON: twice what any command may have. It is added up before
anything is put together: values of 4 KiB in many places would become 50 MiB, for each row."""


class FaultyRowError(Exception):
    """A row cannot be sent as it stands.

    Attributes:
        faults: What is wrong, by its place in the row.
    """

    def __init__(self, *faults: FieldError) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


class Template:
    """The content of a bulk, with places for the variables of its rows.

    Args:
        content: The content; None if each row has its own.
    """

    def __init__(self, content: ContentToSend | None) -> None:
        self._content = content
        dumped = None if content is None else content.model_dump(mode="json", exclude_none=True)
        self._first, *rest = _PLACE.split(orjson.dumps(dumped))
        self._places = [
            (name.decode(), text) for name, text in zip(rest[::2], rest[1::2], strict=True)
        ]
        self._bytes = len(self._first) + sum(len(text) for _, text in self._places)

    @classmethod
    def read(cls, content: object) -> "Template":
        """Return the template of a content as it is stored."""
        return cls(None if content is None else _CONTENTS.validate_python(content))

    def check(self) -> None:
        """Refuse what would take long to fill in, or not be filled in.

        Raises:
            InvalidCommandError: There are too many places, or one has no name of a variable.
        """
        texts = (self._first, *(text for _, text in self._places))
        if any(_ODD_PLACE.search(text) for text in texts):
            raise InvalidCommandError(
                "what stands between {{ and }} is no name of a variable (letters A to Z and a to "
                "z, digits and underscores, the first no digit)",
                pointer="/data/content",
            )
        if len(self._places) > MOST_PLACES:
            raise InvalidCommandError(
                f"variables stand in at most {MOST_PLACES} places", pointer="/data/content"
            )

    def fill(self, row: BulkRow) -> ContentToSend:
        """Return what a row sends.

        Raises:
            FaultyRowError: There is nothing to send, or a variable is missing, or what comes of it
                is no content.
        """
        if row.content is not None:
            return row.content
        if self._content is None:
            raise FaultyRowError(FieldError(pointer="/content", detail="Field required"))
        if not self._places:
            return self._content
        variables = row.variables
        if missing := sorted({name for name, _ in self._places} - variables.keys()):
            raise _lacking(missing)
        size = self._bytes + sum(len(variables[name]) for name, _ in self._places)
        if size > _MOST_BYTES:
            detail = "the content is too large with them"
            raise FaultyRowError(FieldError(pointer="/variables", detail=detail))
        filled = [self._first]
        for name, text in self._places:
            filled += (orjson.dumps(variables[name])[1:-1], text)
        try:
            return _CONTENTS.validate_json(b"".join(filled))
        except ValidationError as error:
            raise FaultyRowError(
                *(
                    FieldError(pointer=f"/content{fault.pointer}", detail=fault.detail)
                    for fault in faults_of(error, ContentToSend)
                )
            ) from None


def _lacking(names: Sequence[str]) -> FaultyRowError:
    """Return what a row lacks; the names are the bulk's own, not the row's."""
    return FaultyRowError(
        *(FieldError(pointer=f"/variables/{name}", detail="Field required") for name in names)
    )
