"""What the rows of a bulk have in common, and how a row's own values get into it."""

import re
from typing import Final

import orjson
from pydantic import TypeAdapter, ValidationError

from gateway_contracts import BulkRow, ContentToSend, FieldError, faults_of

_CONTENTS: Final[TypeAdapter[ContentToSend]] = TypeAdapter(ContentToSend)
_PLACE: Final = re.compile(rb"\{\{ ?([A-Za-z_][A-Za-z0-9_]{0,63}) ?\}\}")


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

    @classmethod
    def read(cls, content: object) -> "Template":
        """Return the template of a content as it is stored."""
        return cls(None if content is None else _CONTENTS.validate_python(content))

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
        filled, variables = [self._first], row.variables
        try:
            for name, text in self._places:
                filled += (orjson.dumps(variables[name])[1:-1], text)
        except KeyError:
            raise self._lacking(row) from None
        try:
            return _CONTENTS.validate_json(b"".join(filled))
        except ValidationError as error:
            raise FaultyRowError(
                *(
                    FieldError(pointer=f"/content{fault.pointer}", detail=fault.detail)
                    for fault in faults_of(error, ContentToSend)
                )
            ) from None

    def _lacking(self, row: BulkRow) -> FaultyRowError:
        """Return what a row lacks; the names are the bulk's own, not the row's."""
        missing = sorted({name for name, _ in self._places} - row.variables.keys())
        return FaultyRowError(
            *(FieldError(pointer=f"/variables/{name}", detail="Field required") for name in missing)
        )
