"""Whatever strangers have sent can be answered, and passed on or refused: nothing breaks."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from gateway_contracts import Content
from gateway_worker.commands.features import Feature
from gateway_worker.commands.handlers.contents import forwardable, quotable
from gateway_worker.errors import InvalidCommandError
from gateway_worker.host_protocol.media import Attachment, Uploaded
from gateway_worker.sessions.changes import Direction, MessageRow
from gateway_worker.whatsapp.convert.content import said
from gateway_worker.whatsapp.convert.kinds import COMPOSED, CONVERTED, Composing
from gateway_worker.whatsapp.convert.people import People
from tests.unit.whatsapp.library_messages import e2e

CHAT: Final = "900@lid"
PEOPLE: Final = People(phone_of=lambda _: None)
CONTENT: Final[TypeAdapter[Content]] = TypeAdapter(Content)
FILE: Final = Attachment(
    uploaded=Uploaded(
        url="https://mmg.whatsapp.net/v/x",
        direct_path="/v/x",
        media_key=b"k" * 32,
        file_enc_sha256=b"e" * 32,
        file_sha256=b"s" * 32,
        file_length=3,
    ),
    mime_type="application/pdf",
)
_DEPTH: Final = 2
_ELSEWHERE: Final = frozenset({"ContextInfo", "Message"})
"""Parts that are no content."""
_FIELDS: Final = tuple(
    field
    for field in e2e.Message.DESCRIPTOR.fields
    if field.message_type is not None and field.name in {*CONVERTED, "audioMessage"}
)
_REALS: Final = st.sampled_from([0.0, 52.5, -1e300, math.nan, math.inf])
_INT32: Final = st.sampled_from([0, 1, -1, (1 << 31) - 1])
_INT64: Final = st.sampled_from([0, 1, -1, 253_402_300_799, (1 << 63) - 1])
_UINT32: Final = st.sampled_from([0, 1, (1 << 32) - 1])
_UINT64: Final = st.sampled_from([0, 1, (1 << 64) - 1])
_TEXTS: Final = st.sampled_from(["", "a", "\x00", "x" * 5_000, "120363000000000001@g.us", "1@lid"])
_DRAWN: Final = {
    "BOOL": st.booleans(),
    "BYTES": st.sampled_from([b"", b"k" * 32, bytes(range(100))]),
    "STRING": _TEXTS,
    **dict.fromkeys(("DOUBLE", "FLOAT"), _REALS),
    **dict.fromkeys(("INT32", "SINT32", "SFIXED32"), _INT32),
    **dict.fromkeys(("INT64", "SINT64", "SFIXED64"), _INT64),
    **dict.fromkeys(("UINT32", "FIXED32"), _UINT32),
    **dict.fromkeys(("UINT64", "FIXED64"), _UINT64),
}
"""By the names of protobuf's types."""


def _values(field: Any) -> st.SearchStrategy[Any]:
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    return next(
        values for name, values in _DRAWN.items() if field.type == getattr(field, f"TYPE_{name}")
    )


@st.composite
def parts(draw: Callable[..., Any], descriptor: Any, depth: int = _DEPTH) -> Any:
    """Draw a message of this type with any of its fields, and odd values in them."""
    made = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        kind = field.message_type
        if not draw(st.booleans()) or (kind and (kind.name in _ELSEWHERE or not depth)):
            continue
        value = draw(_values(field) if kind is None else parts(kind, depth - 1))
        if field.is_repeated:
            getattr(made, field.name).append(value)
        elif kind is None:
            setattr(made, field.name, value)
        else:
            getattr(made, field.name).CopyFrom(value)
            getattr(made, field.name).SetInParent()
    return made


def message_of(field: Any, value: Any) -> Any:
    """Return a message with a content in this field."""
    message = e2e.Message()
    getattr(message, field.name).CopyFrom(value)
    getattr(message, field.name).SetInParent()
    return message


def answer_and_forward(message: Any) -> None:
    """Do with a message what a backend may, as far as it is one that a chat shows."""
    found = said(message, PEOPLE)
    if found is None or found.about is not None or found.content["kind"] not in COMPOSED:
        return
    row = MessageRow(
        chat=CHAT,
        message_id="3EB0AB",
        direction=Direction.IN,
        sender=CHAT,
        content=CONTENT.validate_python(found.content),
        timestamp=datetime(2026, 11, 24, tzinfo=UTC),
    )
    quoted = quotable(row)
    quote = None if quoted is None else COMPOSED[quoted["kind"]].quote
    if quoted is not None and quote is not None:
        quote(quoted, Composing(library=e2e)).SerializeToString()
    try:
        passed_on = forwardable(row, frozenset(Feature)).model_dump(mode="json", exclude_none=True)
    except InvalidCommandError:
        return
    compose = COMPOSED[passed_on["kind"]].compose
    assert compose is not None
    context = e2e.ContextInfo(isForwarded=True, forwardingScore=1)
    made = compose(passed_on, Composing(library=e2e, context=context, attachment=FILE))
    again = said(e2e.Message.FromString(made.SerializeToString()), PEOPLE)
    assert again is not None
    assert again.content["kind"] == passed_on["kind"]
    assert again.content.get("video_note") == passed_on.get("video_note")


@pytest.mark.parametrize("field", _FIELDS, ids=lambda field: field.name)
def test_a_content_of_nothing(field: Any) -> None:
    """Of each kind: it says that it is one, and lacks everything."""
    answer_and_forward(message_of(field, GetMessageClass(field.message_type)()))


@given(
    st.sampled_from(_FIELDS).flatmap(lambda one: st.tuples(st.just(one), parts(one.message_type)))
)
@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
def test_a_content_of_anything(drawn: tuple[Any, Any]) -> None:
    """With some fields or others, and values that no app writes."""
    answer_and_forward(message_of(*drawn))
