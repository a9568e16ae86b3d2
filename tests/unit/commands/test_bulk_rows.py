"""Rows of bulks come out of files, however these are cut; variables get into contents."""

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence

import pytest

from gateway_contracts import BulkFormat, BulkRow, ImageToSend, TextToSend, UrlSource
from gateway_worker.commands.deferred.rows import (
    LONGEST_ROW,
    MOST_EMPTY_LINES,
    MOST_ROWS,
    ReadRow,
    read_rows,
)
from gateway_worker.commands.deferred.template import MOST_PLACES, FaultyRowError, Template
from gateway_worker.errors import InvalidCommandError

NUMBERS = ("+15550100002", "15550100003@s.whatsapp.net", "120363025550100001@g.us")


async def pieces(document: bytes, size: int) -> AsyncIterator[bytes]:
    """Yield a document in pieces."""
    for place in range(0, len(document), size):
        yield document[place : place + size]


async def read(document: bytes, form: BulkFormat, *, size: int = 1 << 18) -> list[ReadRow]:
    """Return all rows of a document."""
    return [row async for rows in read_rows(pieces(document, size), form) for row in rows]


def as_csv(lines: Sequence[Sequence[str]]) -> bytes:
    """Write lines as a program would that knows CSV."""
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1 << 18])
async def test_rows_come_out_of_csv_however_it_is_cut(size: int) -> None:
    """With a mark at its beginning, quoted line ends, commas, quotes, and letters of more bytes."""
    names = ['Ada, "the first"', "Zoë\nLovelace", ""]
    lines = [["to", "name", "client_ref"]]
    lines += [
        [to, name, f"c-{place}"]
        for place, (to, name) in enumerate(zip(NUMBERS, names, strict=True))
    ]

    rows = await read(b"\xef\xbb\xbf" + as_csv(lines), BulkFormat.CSV, size=size)

    assert [row.number for row in rows] == [1, 2, 3]
    assert [row.row and row.row.to for row in rows] == list(NUMBERS)
    assert [row.row and row.row.variables["name"] for row in rows] == names
    assert [row.row and row.row.client_ref for row in rows] == ["c-0", "c-1", "c-2"]
    assert BulkRow.model_validate_json(rows[1].body) == rows[1].row


@pytest.mark.parametrize("size", [1, 7, 1 << 10, 1 << 18])
async def test_a_quote_within_a_value_is_a_letter(size: int) -> None:
    """However long the file is; only one before a value holds lines together."""
    first = 'to,name\n+15550100002,17" screen\n+15550100002,"17"" screen,\nnew"\n'
    lines = [f"+15550100002,a {number}" for number in range(2_000)]
    document = (first + "\n".join(lines)).encode()

    rows = await read(document if size > 7 else first.encode(), BulkFormat.CSV, size=size)

    names = [row.row and row.row.variables["name"] for row in rows]
    assert names[:2] == ['17" screen', '17" screen,\nnew']
    assert len(rows) == 2 + (2_000 if size > 7 else 0)


@pytest.mark.parametrize("size", [1, 5, 1 << 18])
async def test_rows_come_out_of_json_lines(size: int) -> None:
    """Empty lines are none, and the last one needs no end."""
    first = {"to": NUMBERS[0], "variables": {"name": "Zoë"}}
    second = {"to": NUMBERS[1], "content": {"kind": "text", "text": "Hello"}}
    document = f"{json.dumps(first, ensure_ascii=False)}\r\n\n{json.dumps(second)}".encode()

    rows = await read(document, BulkFormat.JSONL, size=size)

    assert [row.row and row.row.to for row in rows] == list(NUMBERS[:2])
    assert rows[1].row is not None
    assert rows[1].row.content == TextToSend(text="Hello")


async def test_each_fault_is_told_by_its_row_and_place() -> None:
    """And nothing of what was sent."""
    document = b'{"to": "+15550100002"}\n{"to": "secret"}\n[]\n{"to": 7, "variables": {"a": 1}}\n{'
    rows = await read(document, BulkFormat.JSONL)

    faults = [(row.number, fault.pointer) for row in rows for fault in row.faults]
    assert faults == [(2, "/to"), (3, ""), (4, "/to"), (4, "/variables"), (5, "")]
    assert not any("secret" in fault.detail for row in rows for fault in row.faults)


@pytest.mark.parametrize(
    ("document", "form"),
    [
        (b"", BulkFormat.CSV),
        (b"name\nAda\n", BulkFormat.CSV),
        (b"to,to\n1,2\n", BulkFormat.CSV),
        (b"to,first name\n1,2\n", BulkFormat.CSV),
        (b'to,name\n+15550100002,"Ada\n', BulkFormat.CSV),
        (b"to\n\xff\xfe\n", BulkFormat.CSV),
        (b"x" * (LONGEST_ROW + 1), BulkFormat.JSONL),
        (b"{}\n" * (MOST_ROWS + 1), BulkFormat.JSONL),
        (b" \n" * (MOST_EMPTY_LINES + 1), BulkFormat.JSONL),
        (b"to\n" + b"\n" * (MOST_EMPTY_LINES + 1), BulkFormat.CSV),
    ],
    ids=[
        "empty",
        "no to",
        "twice",
        "no name",
        "open quote",
        "no UTF-8",
        "long row",
        "many rows",
        "nothing but lines",
        "nothing but lines below the columns",
    ],
)
async def test_what_is_no_such_file_is_refused(document: bytes, form: BulkFormat) -> None:
    """As a fault of the command."""
    with pytest.raises(InvalidCommandError):
        await read(document, form)


async def test_a_line_with_more_or_fewer_values_is_a_faulty_row() -> None:
    """The others are as they are, and it is said what is wrong with this one."""
    rows = await read(b"to,name\n+15550100002,Ada,x\n+15550100003,Bob\n5\n", BulkFormat.CSV)

    assert [[(fault.pointer, fault.detail) for fault in row.faults] for row in rows] == [
        [("", "it has 3 values, and the first line names 2 columns")],
        [],
        [("", "it has 1 values, and the first line names 2 columns")],
    ]


def row(**fields: object) -> BulkRow:
    """Return a row."""
    return BulkRow.model_validate({"to": NUMBERS[0], **fields})


def test_variables_stand_where_the_template_has_them() -> None:
    """Several times, with whatever JSON would have to escape, and in every text of a content."""
    template = Template(TextToSend(text="{{a}} and {{  b }}, {{a}}"))
    filled = template.fill(row(variables={"a": 'x"\\\n', "b": "{{a}}", "unused": "z"}))
    assert filled == TextToSend(text='x"\\\n and {{a}}, x"\\\n')

    url = "https://files.example/{{n}}.png"
    picture = Template(ImageToSend(media=UrlSource(url=url), caption="No {{n}}"))
    sent = picture.fill(row(variables={"n": "7"}))
    assert isinstance(sent, ImageToSend)
    assert sent.caption == "No 7"
    assert sent.media == UrlSource(url="https://files.example/7.png")


def test_a_template_comes_back_as_it_was_stored() -> None:
    """As the bulk's options have it."""
    content = TextToSend(text="Hello {{name}}")
    stored = content.model_dump(mode="json", exclude_none=True)
    assert Template.read(stored).fill(row(variables={"name": "Ada"})) == TextToSend(
        text="Hello Ada"
    )


def test_a_content_of_its_own_goes_as_it_is() -> None:
    """Nothing is filled in."""
    own = TextToSend(text="{{name}}")
    assert Template(TextToSend(text="Hello")).fill(row(content=own.model_dump())) == own
    assert Template(None).fill(row(content=own.model_dump())) == own


@pytest.mark.parametrize(
    ("content", "variables", "pointers"),
    [
        (None, {}, ["/content"]),
        (TextToSend(text="{{b}} {{a}}"), {}, ["/variables/a", "/variables/b"]),
        (TextToSend(text="{{a}}"), {"a": ""}, ["/content/text"]),
        (TextToSend(text="{{a}}" * 30), {"a": "x" * 4_096}, ["/content/text"]),
        (TextToSend(text="{{a}}" * MOST_PLACES), {"a": "x" * 4_096}, ["/variables"]),
    ],
    ids=["no content", "missing", "empty text", "long text", "grown beyond all bounds"],
)
def test_what_cannot_be_filled_in_is_a_fault(
    content: TextToSend | None, variables: dict[str, str], pointers: list[str]
) -> None:
    """With its place in the row."""
    with pytest.raises(FaultyRowError) as caught:
        Template(content).fill(row(variables=variables))
    assert [fault.pointer for fault in caught.value.faults] == pointers


def test_a_template_has_few_places() -> None:
    """Each is filled in for each row; a bulk that is stored already goes on."""
    Template(TextToSend(text="{{a}}" * MOST_PLACES)).check()
    many = Template(TextToSend(text="{{a}}" * (MOST_PLACES + 1)))
    with pytest.raises(InvalidCommandError):
        many.check()
    assert many.fill(row(variables={"a": "b"})) == TextToSend(text="b" * (MOST_PLACES + 1))


@pytest.mark.parametrize("place", ["{{1}}", "{{first name}}", "{{größe}}", "{{}}", "{{a}} {{ä}}"])
def test_what_looks_like_a_place_and_is_none(place: str) -> None:
    """It would be sent to everybody as it stands; a bulk that is stored already goes on."""
    template = Template(TextToSend(text=f"Dear {place}, hello"))

    with pytest.raises(InvalidCommandError):
        template.check()
    filled = template.fill(row(variables={"a": "Ada"}))
    assert isinstance(filled, TextToSend)
    assert filled.text == f"Dear {place.replace('{{a}}', 'Ada')}, hello"


@pytest.mark.parametrize("text", ["{a}", "{{", "}} {{", "{{{a}}}", "{% if a %}"])
def test_braces_that_nobody_takes_for_a_place(text: str) -> None:
    """They are text."""
    Template(TextToSend(text=text)).check()
