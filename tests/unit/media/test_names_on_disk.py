"""What a file is saved as whose name a stranger has chosen."""

from urllib.parse import quote

import pytest

from gateway_worker.media.arriving.links import name_on_disk


@pytest.mark.parametrize(
    ("file_name", "saved_as"),
    [
        ("invoice.pdf", "invoice.pdf"),
        ("Rechnung März.pdf", "Rechnung März.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\boot.ini", "C__boot.ini"),
        ("bill\u202efdp.exe", "billfdp.exe"),
        ("bill.pdf\r\nX: y", "bill.pdfX_ y"),
        ("  .hidden. ", "hidden"),
        ("x" * 500 + ".pdf", "x" * 96 + ".pdf"),
        ("x" * 500, "x" * 100),
        ("a." + "b" * 500, "a." + "b" * 98),
        ("", None),
        ("\u202e\n", None),
        ("...", None),
    ],
)
def test_a_name_on_disk(file_name: str, saved_as: str | None) -> None:
    """Its ending is where one reads it, it leads nowhere else, and it is not too long."""
    assert name_on_disk(file_name) == saved_as


def test_the_longest_name_fits_into_a_link() -> None:
    """It is encoded twice there: in a header, and that in the query."""
    longest = name_on_disk("\N{GRINNING FACE}" * 1_024)

    assert longest is not None
    assert len(quote(quote(longest))) <= 2_000
