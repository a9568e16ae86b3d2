"""Calls: from the library's events to what backends are told."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway_contracts import CallEndedData, CallReceivedData
from gateway_worker.whatsapp.convert import calls
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.people import People
from tests.support.arrivals import InboundNotice, through
from tests.unit.whatsapp.library_messages import LID, events, jid

PEOPLE = People(phone_of={"77": "4915500001"}.get)
BEN = "4915500001@s.whatsapp.net"
AT = datetime(2026, 11, 24, 9, 20, 2, tzinfo=UTC)


def meta(*, call_id: str = "5D0C1F", alt: Any = None, seconds: int = int(AT.timestamp())) -> Any:
    """Return what the library says of every call: this one is somebody's with a known LID."""
    caller = jid("77", LID, device=3)
    found = events.BasicCallMeta(timestamp=seconds, callCreator=caller, callID=call_id)
    getattr(found, "from").CopyFrom(caller)
    found.callCreatorAlt.CopyFrom(alt or jid("", ""))
    return found


def node(tag: str, *children: str, **attributes: str) -> Any:
    """Return a stanza as the library passes it on."""
    found = events.Node(Tag=tag, Nodes=[events.Node(Tag=child) for child in children])
    for name, text in attributes.items():
        found.Attrs.add(name=name.replace("_", "-"), text=text)
    return found


def offer(*children: str, basic: Any = None, **attributes: str) -> Any:
    """Return a call that rings."""
    return events.CallOffer(
        basicCallMeta=basic or meta(), data=node("offer", *children, **attributes)
    )


def told(arrival: Arrival) -> Any:
    """Return the data of the event that it becomes."""
    arrived = through(arrival)
    assert isinstance(arrived, InboundNotice)
    return arrived.data


def test_a_call_in_a_chat() -> None:
    """The caller under both ids, as far as they are known; the chat is the caller's."""
    data = told(calls.offered(offer("audio"), people=PEOPLE))

    assert isinstance(data, CallReceivedData)
    assert (data.call_id, data.chat, data.chat_lid) == ("5D0C1F", BEN, "77@lid")
    assert (data.caller.jid, data.caller.lid) == (BEN, "77@lid")
    assert (data.caller.phone_number, data.creator) == ("+4915500001", "77@lid")
    assert (data.video, data.is_group, data.timestamp, data.partial) == (False, False, AT, False)


def test_a_caller_whose_number_comes_with_the_call() -> None:
    """It is taken from there, although nobody has heard of the LID."""
    stranger = meta(alt=jid("4915500002"))
    data = told(calls.offered(offer(basic=stranger), people=People(phone_of=lambda _: None)))

    assert (data.chat, data.caller.lid) == ("4915500002@s.whatsapp.net", "77@lid")


@pytest.mark.parametrize("form", ["text", "jid"])
def test_a_call_with_pictures_in_a_group(form: str) -> None:
    """The chat is the group's, in whichever form its id comes."""
    event = offer("audio", "video", **({"group_jid": "1203@g.us"} if form == "text" else {}))
    if form == "jid":
        event.data.Attrs.add(name="group-jid", jid=jid("1203", "g.us"))
    data = told(calls.offered(event, people=PEOPLE))

    assert (data.chat, data.chat_lid, data.caller.jid) == ("1203@g.us", None, BEN)
    assert (data.video, data.is_group) == (True, True)


@pytest.mark.parametrize(("media", "video"), [("video", True), ("audio", False), ("", False)])
def test_a_notice_of_a_call(media: str, video: bool) -> None:  # noqa: FBT001 - a case
    """It says by itself that it is a group's, also without saying which."""
    event = events.CallOfferNotice(
        basicCallMeta=meta(), media=media, type="group", data=node("offer_notice")
    )
    data = told(calls.announced(event, people=PEOPLE))

    assert (data.video, data.is_group, data.chat) == (video, True, BEN)


@pytest.mark.parametrize(
    ("reason", "as_told"), [("timeout", "timeout"), ("", None), ("x" * 99, "x" * 64)]
)
def test_the_end_of_a_call(reason: str, as_told: str | None) -> None:
    """With WhatsApp's own word for why."""
    event = events.CallTerminate(basicCallMeta=meta(), reason=reason, data=node("terminate"))
    data = told(calls.ended(event, people=PEOPLE))

    assert isinstance(data, CallEndedData)
    assert (data.call_id, data.chat, data.reason) == ("5D0C1F", BEN, as_told)


@pytest.mark.parametrize(
    "odd", [meta(call_id=""), meta(call_id="a b"), meta(call_id="x" * 200), meta(seconds=-5)]
)
def test_what_does_not_fit(odd: Any) -> None:
    """It is told in part, and that is said."""
    data = told(calls.offered(offer(basic=odd), people=PEOPLE))

    assert data.partial
    assert data.chat == BEN
