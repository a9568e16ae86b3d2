"""What a message is about: the keys that are sent, and what is made of those that arrive."""

from typing import Any

import pytest

from gateway_worker.host_protocol.wire import Person
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.message import message
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.recipients import RecipientError
from gateway_worker.whatsapp.convert.references import fill_key
from tests.unit.whatsapp.library_messages import GROUP, LID, arrival, e2e, jid, source

OWN = Person(jid="4915550001:3@s.whatsapp.net", lid="801:3@lid", phone_number="+4915550001")
ME, BEN, EVE = "4915550001@s.whatsapp.net", "4915550002@s.whatsapp.net", "4915550003@s.whatsapp.net"
CREW = "120363000000000001@g.us"
PEOPLE = People(phone_of={"802": "4915550002", "803": "4915550003"}.get, own=OWN)

FROM_BEN = source(Chat=jid("802", LID), Sender=jid("802", LID, 2))
FROM_ME_TO_BEN = source(Chat=jid("802", LID), Sender=jid("801", LID), IsFromMe=True)
BEN_IN_CREW = source(Chat=jid("120363000000000001", GROUP), Sender=jid("802", LID), IsGroup=True)


def told(key: dict[str, Any], origin: Any, people: People = PEOPLE) -> Arrival:
    """Return what is told of a reaction to the message that a key names."""
    target = {"ID": "3EB0AB", **key}
    event = arrival(
        e2e.Message(reactionMessage=e2e.ReactionMessage(key=target, text="x")), origin=origin
    )
    frame = message(event, offline=False, people=people)
    assert frame is not None
    return frame


def target(chat: str, participant: str | None, *, from_me: bool) -> dict[str, Any]:
    """Return what a content tells of a message."""
    named = {} if participant is None else {"participant": participant}
    return {"message_id": "3EB0AB", "chat": chat, "from_me": from_me, **named}


@pytest.mark.parametrize(
    ("key", "origin", "expected"),
    [
        ({"fromMe": True}, FROM_BEN, target(BEN, BEN, from_me=False)),
        ({"fromMe": False}, FROM_BEN, target(BEN, ME, from_me=True)),
        ({"fromMe": True}, FROM_ME_TO_BEN, target(BEN, ME, from_me=True)),
        ({"fromMe": False}, FROM_ME_TO_BEN, target(BEN, BEN, from_me=False)),
        # Of two people a participant says nothing, whoever is named.
        ({"participant": "803@lid"}, FROM_BEN, target(BEN, ME, from_me=True)),
        ({"fromMe": True}, BEN_IN_CREW, target(CREW, BEN, from_me=False)),
        ({"participant": "803:4@lid"}, BEN_IN_CREW, target(CREW, EVE, from_me=False)),
        ({"participant": "801:9@lid"}, BEN_IN_CREW, target(CREW, ME, from_me=True)),
        ({"participant": ME}, BEN_IN_CREW, target(CREW, ME, from_me=True)),
        # To a story, which is told of in its writer's chat.
        (
            {"remoteJID": "status@broadcast", "participant": "801@lid"},
            FROM_BEN,
            target("status@broadcast", ME, from_me=True),
        ),
    ],
)
def test_whom_a_key_names(key: dict[str, Any], origin: Any, expected: dict[str, Any]) -> None:
    """It is written from its sender's point of view, and told from the account's."""
    frame = told(key, origin)

    assert frame.content["target"] == expected
    assert not frame.is_partial


@pytest.mark.parametrize(
    ("key", "origin"), [({}, BEN_IN_CREW), ({"ID": "no id", "fromMe": True}, FROM_BEN)]
)
def test_a_key_that_names_nothing_whole(key: dict[str, Any], origin: Any) -> None:
    """What it does name is told, and that there is more."""
    frame = told(key, origin)

    assert frame.is_partial
    assert frame.content["target"]["message_id"]
    assert frame.content["target"]["from_me"] is False


def test_an_account_that_is_not_known_yet() -> None:
    """A message of its own has a writer without a name."""
    frame = told({"fromMe": False}, FROM_BEN, People(phone_of=lambda _: None))

    assert frame.content["target"] == target("802@lid", None, from_me=True)
    assert frame.is_partial


@pytest.mark.parametrize(
    ("chat", "from_me", "participant"),
    [(BEN, False, ""), (BEN, True, ""), (CREW, True, ""), (CREW, False, BEN)],
)
def test_the_key_of_what_is_sent(chat: str, from_me: bool, participant: str) -> None:  # noqa: FBT001
    """A writer is named in groups only, and there only another one than the account."""
    key = e2e.ReactionMessage().key
    writer = ME if from_me else "4915550002:7@s.whatsapp.net"

    fill_key(key, {"message_id": "3EB0AB", "participant": writer, "from_me": from_me}, chat)

    assert (key.ID, key.remoteJID, key.fromMe) == ("3EB0AB", chat, from_me)
    assert key.participant == participant


@pytest.mark.parametrize("participant", [None, "", "eve"])
def test_a_writer_that_cannot_be_named(participant: str | None) -> None:
    """The message is not sent."""
    with pytest.raises(RecipientError):
        fill_key(
            e2e.ReactionMessage().key,
            {"message_id": "3EB0AB", "participant": participant, "from_me": False},
            CREW,
        )
