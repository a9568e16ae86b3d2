"""The rows of a bulk as they come out of a file, a few at a time."""

import codecs
import csv
import re
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Iterator,
    Sequence,
)
from dataclasses import dataclass, field
from typing import Final

import orjson
from pydantic import ValidationError

from gateway_contracts import BulkFormat, BulkRow, FieldError, faults_of
from gateway_worker.errors import InvalidCommandError

MOST_ROWS: Final = 100_000
LONGEST_ROW: Final = 65_536
MOST_EMPTY_LINES: Final = MOST_ROWS
_POINTER: Final = "/data/file"
_AT_ONCE: Final = 250
"""So many rows are read before others have a turn: some milliseconds."""
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_COLUMNS: Final = frozenset({"to", "client_ref"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRow:
    """A row, or what is wrong with it.

    Attributes:
        number: Which, counted from 1.
        body: The row as JSON.
        row: It; None if it is faulty.
        faults: Why.
    """

    number: int
    body: bytes = field(repr=False)
    row: BulkRow | None = None
    faults: tuple[FieldError, ...] = ()

    @classmethod
    def read(cls, number: int, body: bytes | FieldError) -> "ReadRow":
        """Read a row from JSON; or tell of a line that is none."""
        if isinstance(body, FieldError):
            return cls(number=number, body=b"{}", faults=(body,))
        try:
            row = BulkRow.model_validate_json(body, strict=True)
        except ValidationError as error:
            return cls(number=number, body=body, faults=faults_of(error, BulkRow))
        return cls(number=number, body=body, row=row)


async def read_rows(
    chunks: AsyncIterable[bytes], form: BulkFormat
) -> AsyncGenerator[Sequence[ReadRow], None]:
    """Yield the rows of a file, in order; of it only a piece is in memory.

    Raises:
        InvalidCommandError: It is no such file, or too long.
    """
    number = 0
    documents: _Csv | _JsonLines = _Csv() if form is BulkFormat.CSV else _JsonLines()
    async for chunk in _with_end(chunks):
        rows: list[ReadRow] = []
        for body in documents.feed(chunk):
            number += 1
            if number > MOST_ROWS:
                raise InvalidCommandError(f"at most {MOST_ROWS} rows", pointer=_POINTER)
            rows.append(ReadRow.read(number, body))
            if len(rows) == _AT_ONCE:
                yield rows
                rows = []
        if rows:
            yield rows


async def _with_end(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes | None]:
    async for chunk in chunks:
        yield chunk
    yield None


class _EmptyLines:
    """Counts lines that are no rows: a file of nothing else would be read for hours."""

    def __init__(self) -> None:
        self._count = 0

    def count(self) -> None:
        """Note one. Raises `InvalidCommandError` if there are too many."""
        self._count += 1
        if self._count > MOST_EMPTY_LINES:
            raise InvalidCommandError(f"at most {MOST_EMPTY_LINES} empty lines", pointer=_POINTER)


class _JsonLines:
    """Takes a file of JSON lines apart."""

    def __init__(self) -> None:
        self._rest = b""
        self._empty = _EmptyLines()
        self._is_first = True

    def feed(self, chunk: bytes | None) -> Iterator[bytes]:
        """Yield the rows that a piece has completed; None is the end."""
        if self._is_first and chunk is not None:
            chunk, self._is_first = chunk.removeprefix(codecs.BOM_UTF8), False
        *lines, self._rest = (self._rest + (b"\n" if chunk is None else chunk)).split(b"\n")
        if len(self._rest) > LONGEST_ROW:
            raise InvalidCommandError(f"a row has at most {LONGEST_ROW} bytes", pointer=_POINTER)
        for line in lines:
            if stripped := line.strip():
                yield stripped
            else:
                self._empty.count()


class _Csv:
    """Takes a file of comma-separated values apart; a quoted value may have several lines."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._rest = ""
        self._empty = _EmptyLines()
        self._columns: _Columns | None = None

    def feed(self, chunk: bytes | None) -> Iterator[bytes | FieldError]:
        """Yield the rows that a piece has completed; None is the end."""
        try:
            text = self._rest + self._decoder.decode(chunk or b"", final=chunk is None)
        except UnicodeDecodeError:
            raise InvalidCommandError("the file is not in UTF-8", pointer=_POINTER) from None
        lines = _lines(text.split("\n")) if chunk is None else _whole(text)
        self._rest = "" if chunk is None else text[sum(map(len, lines)) :]
        if len(self._rest) > LONGEST_ROW:
            raise InvalidCommandError(f"a row has at most {LONGEST_ROW} bytes", pointer=_POINTER)
        try:
            for values in csv.reader(lines, strict=True):
                if not values:
                    self._empty.count()
                elif self._columns is None:
                    self._columns = _Columns(values)
                else:
                    yield self._columns.row(values)
        except csv.Error:
            raise InvalidCommandError(
                "the file has a line that is no CSV", pointer=_POINTER
            ) from None
        if chunk is None and self._columns is None:
            raise InvalidCommandError("the file has no line of columns", pointer=_POINTER)


def _whole(text: str) -> list[str]:
    """Return the lines of a text up to the last at which no quoted value is open."""
    lines = text.split("\n")
    end, is_quoted = 0, False
    for place, line in enumerate(lines[:-1]):
        if line.count('"') % 2 == 1:
            is_quoted = not is_quoted and _opens(line)
        if not is_quoted:
            end = place + 1
    return _lines(lines[:end])


def _opens(line: str) -> bool:
    """Whether a quoted value goes on behind a line: a quote within a value is only a letter."""
    is_open, may_open = False, True
    for letter in line:
        if letter == '"':
            is_open, may_open = not is_open and may_open, is_open  # two of them are one of a value
        elif not is_open:
            may_open = letter == ","
    return is_open


def _lines(texts: Iterable[str]) -> list[str]:
    return [f"{text}\n" for text in texts]


def _columns(names: list[str]) -> list[str]:
    columns = [name.strip() for name in names]
    if "to" not in columns or len(set(columns)) < len(columns):
        raise InvalidCommandError(
            "the first line names the columns: `to` is one, and none is named twice",
            pointer=_POINTER,
        )
    if not all(map(_VARIABLE.fullmatch, columns)):
        raise InvalidCommandError(
            "the name of a column is that of a variable: letters, digits, underscores",
            pointer=_POINTER,
        )
    return columns


class _Columns:
    """What the values of a line are.

    Args:
        names: As the first line has them.
    """

    def __init__(self, names: list[str]) -> None:
        columns = _columns(names)
        self._count = len(columns)
        self._to = columns.index("to")
        self._client_ref = columns.index("client_ref") if "client_ref" in columns else None
        places = enumerate(columns)
        self._variables = [(place, name) for place, name in places if name not in _COLUMNS]

    def row(self, values: list[str]) -> bytes | FieldError:
        """Return a line as a row of JSON; or that it has too many or too few values."""
        if len(values) != self._count:
            detail = f"it has {len(values)} values, and the first line names {self._count} columns"
            return FieldError(pointer="", detail=detail)
        row: dict[str, object] = {"to": values[self._to].strip()}
        if self._client_ref is not None and values[self._client_ref]:
            row["client_ref"] = values[self._client_ref]
        row["variables"] = {name: values[place] for place, name in self._variables}
        return orjson.dumps(row)
