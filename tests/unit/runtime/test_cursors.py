"""Cursors come back as they were given out; what was made up or changed is found out."""

from datetime import UTC, datetime

import pytest

from gateway_worker.runtime import cursors

NOW = datetime(2026, 11, 24, 9, 30, 0, 250_000, tzinfo=UTC)


def test_a_place_comes_back() -> None:
    """With its moment to the microsecond, and as text that needs no quoting."""
    text = cursors.encode((NOW, "3EB0", "a chat", 7))
    assert text.isascii()
    assert not set(text) & set("+/= ")
    assert cursors.decode(text, datetime, str, str, int) == (NOW, "3EB0", "a chat", 7)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "é",
        "%%%",
        cursors.encode(("a",)),
        cursors.encode(("a", "b", "c")),
        cursors.encode((7, "b")),
        cursors.encode(("no moment", "b")),
        cursors.encode((NOW, 7)),
        cursors.encode((NOW, "with a \x00")),
        "eyJhIjogMX0",
        "W10",
    ],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    """Whatever it is, with an error that says nothing of it."""
    with pytest.raises(ValueError, match=r"cursor|isoformat"):
        cursors.decode(text, datetime, str)
