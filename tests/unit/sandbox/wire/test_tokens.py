"""Token tables out of the native library's file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.wire.tokens import TokenTableError, find_library, load_tokens

if TYPE_CHECKING:
    from pathlib import Path


def test_tables_have_the_shape_of_the_protocol() -> None:
    """236 one-byte tokens (0 is none) and four tables of 256; all printable, none twice."""
    tokens = load_tokens()
    every = [*tokens.single[1:], *(text for table in tokens.double for text in table)]

    assert len(tokens.single) == 236
    assert [len(table) for table in tokens.double] == [256] * 4
    assert tokens.single[:4] == ("", "xmlstreamstart", "xmlstreamend", "s.whatsapp.net")
    assert all(text.isascii() and text.isprintable() for text in every)
    assert len(set(every)) == len(every)


def test_the_library_is_not_loaded() -> None:
    """Reading the tables starts no Go runtime in this process."""
    load_tokens()
    with open("/proc/self/maps", encoding="utf-8") as maps:  # noqa: PTH123
        loaded = any(find_library().name in line and "x" in line.split()[1] for line in maps)

    assert not loaded


@pytest.mark.parametrize("content", [b"", b"not a library", b"\x7fELF\x02\x01" + bytes(58)])
def test_a_file_without_tables(tmp_path: Path, content: bytes) -> None:
    """Anything else is refused with a clear error."""
    path = tmp_path / "library.so"
    path.write_bytes(content)

    with pytest.raises(TokenTableError):
        load_tokens(path)
