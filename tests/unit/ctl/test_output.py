"""What operators read: laid out, and harmless to their terminals."""

import json
from datetime import UTC, datetime

import pytest

from gateway_worker.ctl.output import as_json, body_text, body_value, plain, table

MOMENT = datetime(2026, 11, 24, 9, 16, 33, 500, tzinfo=UTC)


def test_a_table_is_aligned_and_says_where_there_is_nothing() -> None:
    """Without blanks at the ends of lines."""
    rows: list[dict[str, object]] = [
        {"id": "c1", "at": MOMENT, "attempts": 0},
        {"id": "longer", "at": None, "attempts": 12},
    ]
    assert table(rows).split("\n") == [
        "ID      AT                    ATTEMPTS",
        "c1      2026-11-24T09:16:33Z  0",
        "longer  -                     12",
    ]


@pytest.mark.parametrize("letter", ["\x1b", "\x07", "\x9b", "\r", "\n", "\u202e", "\u2028"])
def test_nothing_steers_a_terminal(letter: str) -> None:
    """Neither escapes, nor line breaks, nor letters that turn the direction of writing."""
    assert plain(f"a{letter}b") == "a\N{REPLACEMENT CHARACTER}b"
    assert letter not in table([{"id": f"a{letter}b"}]).split("\n")[1]


def test_other_scripts_and_pictures_stay() -> None:
    """They are what people write."""
    assert plain("Grüße aus 東京 🚚") == "Grüße aus 東京 🚚"


def test_a_body_is_laid_out_if_it_is_json() -> None:
    """And shown as it is otherwise, line by line."""
    assert body_text(b'{"text": "a\\u001bb", "to": "x"}').split("\n") == [
        *("{", '  "text": "a\\u001bb",', '  "to": "x"', "}")
    ]
    assert body_text(b"no JSON\n\x1b[31m\xff") == "no JSON\n\ufffd[31m\ufffd"
    assert body_text(b"[" * 100_000).startswith("[[[")


def test_a_body_for_programs_is_exact() -> None:
    """Text as text, everything else in base64."""
    assert body_value("a\u202eb".encode()) == {"body": "a\u202eb"}
    assert body_value(b"\xff") == {"body_base64": "/w=="}


def test_json_has_times_as_the_contract_writes_them() -> None:
    """And refuses what nobody could read back."""
    assert json.loads(as_json({"at": MOMENT})) == {"at": "2026-11-24T09:16:33Z"}
    with pytest.raises(TypeError, match="no JSON for object"):
        as_json(object())
