"""Which address of a text is shown."""

import pytest

from gateway_worker.media.previews import first_link


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://a.example/b", "https://a.example/b"),
        ("see https://a.example/b?c=d#e and https://b.example", "https://a.example/b?c=d#e"),
        ("see https://a.example/b.", "https://a.example/b"),
        ("(https://a.example/b)", "https://a.example/b"),
        ("https://a.example/b_(c)", "https://a.example/b_(c)"),
        ("*https://a.example/b*!", "https://a.example/b"),
        ("HTTPS://A.example", "HTTPS://A.example"),
        ("<https://a.example/b>", "https://a.example/b"),
        ("https://a.example/ä\nnext", "https://a.example/ä"),
        ("http://a.example", "http://a.example"),
        ("a.example", None),
        ("ftp://a.example", None),
        ("https://...", None),
        ("", None),
        ("https://a.example/" + ")" * 60_000, None),
    ],
)
def test_first_link(text: str, link: str | None) -> None:
    """The first, without the marks that end a sentence."""
    assert first_link(text) == link
