"""How the text of a status post looks, both ways."""

import pytest

from gateway_contracts import StatusText, TextContent, TextFont
from gateway_worker.whatsapp.convert.content import said
from gateway_worker.whatsapp.convert.kinds import COMPOSED, Composing
from gateway_worker.whatsapp.convert.people import People
from tests.unit.whatsapp.library_messages import e2e

PEOPLE = People(phone_of=lambda _: None)


@pytest.mark.parametrize("font", TextFont)
def test_a_look_goes_both_ways(font: TextFont) -> None:
    """In the library's terms it is opaque, with white letters."""
    text = StatusText(text="hello", background="#0a7BFf", font=font)
    compose = COMPOSED["text"].compose
    assert compose is not None

    made = compose(text.model_dump(mode="json"), Composing(library=e2e))

    assert made.extendedTextMessage.backgroundArgb == 0xFF0A7BFF
    assert made.extendedTextMessage.textArgb == 0xFFFFFFFF
    found = said(made, PEOPLE)
    assert found is not None
    assert TextContent.model_validate(found.content) == TextContent(
        text="hello", background="#0A7BFF", font=font
    )


def test_a_text_without_a_look() -> None:
    """As in every chat."""
    found = said(e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text="hello")), PEOPLE)

    assert found is not None
    assert found.content == {"kind": "text", "text": "hello"}


def test_letters_that_nobody_knows() -> None:
    """A number of a later release is left out."""
    text = e2e.ExtendedTextMessage(text="a", backgroundArgb=0xFF000001)
    tag = e2e.ExtendedTextMessage.DESCRIPTOR.fields_by_name["font"].number << 3
    text.MergeFromString(bytes((tag, 99)))

    found = said(e2e.Message(extendedTextMessage=text), PEOPLE)

    assert found is not None
    assert found.content == {"kind": "text", "text": "a", "background": "#000001"}
