"""Whether somebody comes to an appointment.

It arrives encrypted with a secret of the appointment's, which only the library's store has. Once it
is opened what was hidden is in the place of what hid it, without a nonce.
"""

from typing import Any, Final

from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from gateway_worker.whatsapp.convert.kinds.kind import Converted, Kind
from gateway_worker.whatsapp.convert.people import People

_FIELD: Final = "encEventResponseMessage"
_RESPONSES: Final = {"GOING": "going", "NOT_GOING": "not_going", "MAYBE": "maybe"}
_MOST_GUESTS: Final = 1_000_000


def _convert(value: Any, _people: People) -> Converted:
    answer = None if value.encIV else _answer(value)
    response = None if answer is None else _RESPONSES.get(_name(answer))
    if answer is None or response is None:
        return Converted(content={"kind": "unsupported", "message_type": _FIELD})
    content: dict[str, Any] = {"kind": "event_response", "response": response}
    guests = min(answer.extraGuestCount, _MOST_GUESTS)
    if guests > 0:
        content["extra_guests"] = guests
    return Converted(content=content, about=value.eventCreationMessageKey)


def _answer(value: Any) -> Any:
    """Return the library's `EventResponseMessage`; None for what is none."""
    kind = value.DESCRIPTOR.file.message_types_by_name["EventResponseMessage"]
    try:
        return GetMessageClass(kind).FromString(value.encPayload)
    except DecodeError:
        return None


def _name(answer: Any) -> str:
    names = answer.DESCRIPTOR.fields_by_name["response"].enum_type.values_by_number
    return str(names[answer.response].name)


KIND: Final = Kind(
    name="event_response",
    compose=None,
    fields={_FIELD: _convert},
    event="wa.event.response.v1",
)
