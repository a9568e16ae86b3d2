"""Messages and receipts as events: who wrote, where, and what is left out."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway_contracts import ReceiptStatus, TextContent
from gateway_contracts.events import Participant
from gateway_worker.host_protocol.wire import Person
from gateway_worker.whatsapp.convert.message import message
from gateway_worker.whatsapp.convert.people import People, account, without_device
from gateway_worker.whatsapp.convert.receipt import receipt
from tests.support.arrivals import InboundMessage, InboundReceipt, ReadElsewhere, through
from tests.unit.whatsapp.library_messages import GROUP, LID, arrival, e2e, events, jid, source

BEN = Person(jid="4915550002@s.whatsapp.net", lid="802@lid", phone_number="+4915550002")
BEN_NAMED = Person(
    jid="4915550002@s.whatsapp.net", lid="802@lid", phone_number="+4915550002", push_name="Ben"
)
OWN = Person(jid="4915550001:3@s.whatsapp.net", lid="801:3@lid", phone_number="+4915550001")
MOMENT = datetime.fromtimestamp(1_795_502_481, tz=UTC)
HELLO = e2e.Message(conversation="hello")


def people(known: dict[str, str] | None = None) -> People:
    """Return a world in which these LIDs have these numbers."""
    return People(phone_of=(known or {}).get, own=OWN)


def frame_of(origin: Any, **values: Any) -> InboundMessage | None:
    """Return how a text that says hello arrives."""
    known = values.pop("known", {})
    event = arrival(HELLO, origin=origin, **values)
    found = message(event, offline=False, people=people(known))
    if found is None:
        return None
    arrived = through(found, record=7)
    assert isinstance(arrived, InboundMessage)
    return arrived


def receipts_of(event: Any, *, known: dict[str, str] | None = None) -> list[InboundReceipt]:
    """Return how a receipt arrives."""
    found = [through(one, record=9) for one in receipt(event, people=people(known))]
    assert all(isinstance(one, InboundReceipt) for one in found)
    return [one for one in found if isinstance(one, InboundReceipt)]


def participant(person: Person) -> Participant:
    """Return a person as the contract has them."""
    return Participant(
        jid=person.jid,
        lid=person.lid,
        phone_number=person.phone_number,
        push_name=person.push_name,
    )


def test_a_message_of_a_stranger() -> None:
    """The person and the chat go by phone number, although WhatsApp named a LID."""
    frame = frame_of(
        source(Chat=jid("802", LID), Sender=jid("802", LID, 5), SenderAlt=jid("4915550002"))
    )

    assert frame == InboundMessage(
        record=7,
        message_id="3EB0AA",
        chat="4915550002@s.whatsapp.net",
        sender=participant(BEN_NAMED),
        from_me=False,
        is_group=False,
        timestamp=MOMENT,
        content=TextContent(text="hello"),
        quoted_id=None,
        quoted_participant=None,
        offline=False,
        partial=False,
    )


def test_a_number_that_only_the_store_knows() -> None:
    """Without a second id the device store is asked."""
    origin = source(Chat=jid("802", LID), Sender=jid("802", LID))

    frame = frame_of(origin, known={"802": "4915550002"})

    assert frame is not None
    assert (frame.chat, frame.sender) == (BEN.jid, participant(BEN_NAMED))


def test_a_number_that_nobody_knows() -> None:
    """The LID stands in its place; no number is made up."""
    frame = frame_of(source(Chat=jid("802", LID), Sender=jid("802", LID)))

    assert frame is not None
    assert frame.chat == "802@lid"
    assert frame.sender == Participant(jid="802@lid", lid="802@lid", push_name="Ben")


def test_addressing_by_phone_number() -> None:
    """The other way round it comes out the same."""
    frame = frame_of(
        source(
            Chat=jid("4915550002"), Sender=jid("4915550002", device=2), SenderAlt=jid("802", LID)
        )
    )

    assert frame is not None
    assert (frame.chat, frame.sender) == (BEN.jid, participant(BEN_NAMED))


def test_what_the_owner_wrote_on_the_phone() -> None:
    """The writer is the account, the chat is whom it was written to."""
    frame = frame_of(
        source(
            Chat=jid("802", LID),
            Sender=jid("801", LID),
            RecipientAlt=jid("4915550002"),
            IsFromMe=True,
        ),
        name="Anna",
    )

    assert frame is not None
    assert frame.from_me
    assert frame.chat == BEN.jid
    assert frame.sender == Participant(
        jid="4915550001@s.whatsapp.net", lid="801@lid", phone_number="+4915550001"
    )


def test_a_group() -> None:
    """The chat is the group's id, the sender a person."""
    frame = frame_of(
        source(
            Chat=jid("120363000000000001", GROUP),
            Sender=jid("802", LID),
            SenderAlt=jid("4915550002"),
            IsGroup=True,
        )
    )

    assert frame is not None
    assert (frame.chat, frame.is_group) == ("120363000000000001@g.us", True)
    assert frame.sender == participant(BEN_NAMED)


def test_a_broadcast_list() -> None:
    """It shows up in the writer's chat, as on a phone."""
    frame = frame_of(
        source(
            Chat=jid("1700000000", "broadcast"),
            Sender=jid("802", LID),
            SenderAlt=jid("4915550002"),
            IsGroup=True,
        )
    )

    assert frame is not None
    assert (frame.chat, frame.is_group) == (BEN.jid, False)


def test_status_posts() -> None:
    """All of them are in one place, and say who has posted."""
    place = jid("status", "broadcast")
    origin = source(Chat=place, Sender=jid("802", LID), SenderAlt=jid("4915550002"), IsGroup=True)

    frame = frame_of(origin)

    assert frame is not None
    assert (frame.chat, frame.is_group) == ("status@broadcast", False)
    assert (frame.sender, frame.from_me) == (participant(BEN_NAMED), False)


@pytest.mark.parametrize(
    ("is_own", "type_"), [(False, "wa.status.received.v1"), (True, "wa.status.posted.v1")]
)
def test_a_status_post_is_no_message(is_own: bool, type_: str) -> None:  # noqa: FBT001 - a case
    """A backend that answers whatever is received must not answer it."""
    origin = source(
        Chat=jid("status", "broadcast"), Sender=jid("802", LID), IsFromMe=is_own, IsGroup=True
    )

    found = message(arrival(HELLO, origin=origin), offline=False, people=people())

    assert found is not None
    assert found.type == type_


def test_who_has_seen_a_status_post() -> None:
    """It is told of the post, and not of a chat with the viewer."""
    event = events.Receipt(
        MessageSource=source(
            Chat=jid("status", "broadcast"), Sender=jid("802", LID), SenderAlt=jid("4915550002")
        ),
        MessageIDs=["3EB0AA"],
        Timestamp=1_795_502_481,
        Type=4,
    )

    (found,) = receipts_of(event)

    assert (found.chat, found.message_id) == ("status@broadcast", "3EB0AA")
    assert (found.participant.jid, found.status) == (BEN.jid, ReceiptStatus.READ)


def test_names_are_cut_and_cleaned() -> None:
    """A name may be anything; it comes out short and without NUL."""
    origin = source(Chat=jid("802", LID), Sender=jid("802", LID))

    frame = frame_of(origin, name="\x00" + "n" * 500)

    assert frame is not None
    assert frame.sender.push_name == "\ufffd" + "n" * 127


@pytest.mark.parametrize(
    ("kind", "status"), [(1, "delivered"), (9, "delivered"), (4, "read"), (6, "played")]
)
def test_receipts_that_count(kind: int, status: str) -> None:
    """Delivered to any device, read, played."""
    event = events.Receipt(
        MessageSource=source(Chat=jid("802", LID), Sender=jid("802", LID, 4)),
        MessageIDs=["3EB0A", "", "3EB0B"],
        Timestamp=1_795_502_481,
        Type=kind,
    )

    assert receipts_of(event, known={"802": "4915550002"}) == [
        InboundReceipt(
            record=9,
            last=True,
            message_id=message_id,
            chat=BEN.jid,
            participant=participant(BEN),
            status=ReceiptStatus(status),
            timestamp=MOMENT,
            partial=False,
        )
        for message_id in ("3EB0A", "3EB0B")
    ]


def test_a_receipt_in_a_group() -> None:
    """The chat is the group, the participant who read it."""
    group = jid("120363000000000001", GROUP)
    event = events.Receipt(
        MessageSource=source(Chat=group, Sender=jid("802", LID), IsGroup=True),
        MessageIDs=["3EB0A"],
        Timestamp=1,
        Type=4,
    )

    (frame,) = receipts_of(event)

    assert (frame.chat, frame.participant.jid) == ("120363000000000001@g.us", "802@lid")


@pytest.mark.parametrize(
    ("kind", "from_me", "ids"),
    [(2, False, ["A"]), (3, False, ["A"]), (5, False, ["A"]), (1, True, ["A"]), (4, True, [""])],
)
def test_receipts_that_say_nothing(kind: int, from_me: bool, ids: list[str]) -> None:  # noqa: FBT001
    """Our own phone's, requests to send again, deliveries to the owner, and empty ones."""
    event = events.Receipt(
        MessageSource=source(Chat=jid("802", LID), Sender=jid("802", LID), IsFromMe=from_me),
        MessageIDs=ids,
        Timestamp=1,
        Type=kind,
    )

    assert receipts_of(event) == []


@pytest.mark.parametrize("kind", [4, 5])
@pytest.mark.parametrize(
    ("chat", "told"),
    [(jid("802", LID), BEN.jid), (jid("120363000000000001", GROUP), "120363000000000001@g.us")],
)
def test_what_the_owner_has_read(kind: int, chat: Any, told: str) -> None:
    """On another device: one event for all of it, whether its writers are told or not."""
    event = events.Receipt(
        MessageSource=source(Chat=chat, Sender=jid("801", LID), IsFromMe=True),
        MessageIDs=["3EB0A", "", "3EB0B"],
        Timestamp=1_795_502_481,
        Type=kind,
    )

    (arrival,) = receipt(event, people=people({"802": "4915550002"}))

    assert through(arrival) == ReadElsewhere(
        record=1, chat=told, message_ids=("3EB0A", "3EB0B"), timestamp=MOMENT
    )


def test_the_account_of_a_device() -> None:
    """The JID keeps its device: it is what a resume needs."""
    device = events.Device(
        JID=jid("4915550001", device=3), LID=jid("801", LID, 3), PushName="", BussinessName="Shop"
    )

    assert account(device) == Person(
        jid="4915550001:3@s.whatsapp.net",
        lid="801:3@lid",
        phone_number="+4915550001",
        push_name="Shop",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1:2@lid", "1@lid"), ("1.0:2@s.whatsapp.net", "1@s.whatsapp.net"), ("123", "123")],
)
def test_devices_are_taken_off(text: str, expected: str) -> None:
    """Of a JID that is written as text."""
    assert without_device(text) == expected
