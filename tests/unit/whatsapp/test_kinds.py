"""Every kind of the contract goes both ways in the host, whatever strangers write."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import TypeAdapter

from gateway_contracts import Content
from gateway_contracts.content import ARRIVING_KINDS, SENDABLE_KINDS
from gateway_worker.sandbox.phones.content import read_content
from gateway_worker.whatsapp.convert.content import said
from gateway_worker.whatsapp.convert.kinds import COMPOSED, CONVERTED, KINDS, Composing
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.recipients import RecipientError
from gateway_worker.whatsapp.convert.references import fill_key
from tests.unit.whatsapp.library_messages import e2e

PEOPLE = People(phone_of=lambda _: None)
CARD = {"display_name": "Grace", "vcard": "BEGIN:VCARD\nEND:VCARD"}
PLACE = {"kind": "location", "latitude": 1.5, "longitude": -2.5}
CONTENTS: list[dict[str, Any]] = [
    {"kind": "text", "text": "hello"},
    PLACE,
    {**PLACE, "place": "Harbour", "street_address": "1 Quay Street"},
    {"kind": "contact", "cards": [CARD]},
    {"kind": "contact", "cards": [CARD, CARD]},
]
TARGET = {"message_id": "3EB0AB", "participant": "4915550002@s.whatsapp.net", "from_me": False}
ABOUT_OTHERS: list[dict[str, Any]] = [
    {"kind": "reaction", "emoji": "x"},
    {"kind": "reaction", "emoji": ""},
]
"""Of the kinds that are about a message of whomever, without it."""
ABOUT_OWN: list[dict[str, Any]] = [
    {"kind": "edit", "text": "hello"},
    {"kind": "edit", "text": "hello @1", "mentions": ["1@lid"]},
    {"kind": "revoke"},
]
"""Of the kinds that are about a message of the account's own."""


def test_contract_and_host_know_the_same_kinds() -> None:
    """A kind that one side lacks would fail when it is first used."""
    names = {kind.name for kind in KINDS}

    assert {name for name in names if COMPOSED[name].compose is not None} == set(SENDABLE_KINDS)
    assert {kind.name for kind in KINDS if kind.fields} == set(ARRIVING_KINDS) - {"unsupported"}
    fields = e2e.Message.DESCRIPTOR.fields_by_name
    uses = {
        f"protocolMessage.{use}"
        for use in fields["protocolMessage"]
        .message_type.fields_by_name["type"]
        .enum_type.values_by_name
    }
    assert set(CONVERTED) <= set(fields) | uses


def test_every_kind_is_tried_here() -> None:
    """Both ways."""
    tried = {content["kind"] for content in (*CONTENTS, *ABOUT_OTHERS, *ABOUT_OWN)}
    assert tried == {kind.name for kind in KINDS}


@pytest.mark.parametrize("content", CONTENTS)
def test_what_is_sent_arrives(content: dict[str, Any]) -> None:
    """As the contract writes it, with a quote and without."""
    compose = COMPOSED[content["kind"]].compose
    assert compose is not None
    quoting = e2e.ContextInfo(stanzaID="3EB0Q", participant="9@lid")

    plain = said(compose(content, Composing(library=e2e)), PEOPLE)
    quoted = said(compose(content, Composing(library=e2e, context=quoting)), PEOPLE)

    assert plain is not None
    assert quoted is not None
    assert plain.content == quoted.content == content
    TypeAdapter(Content).validate_python(plain.content)
    assert quoted.quoted_id == "3EB0Q"


@pytest.mark.parametrize(
    ("content", "from_me"),
    [*((one, False) for one in ABOUT_OTHERS), *((one, True) for one in ABOUT_OTHERS + ABOUT_OWN)],
)
def test_what_is_about_a_message_arrives(content: dict[str, Any], from_me: bool) -> None:  # noqa: FBT001
    """With the key of that message."""
    compose = COMPOSED[content["kind"]].compose
    assert compose is not None
    key = e2e.ReactionMessage().key
    fill_key(key, {**TARGET, "from_me": from_me}, "4915550002@s.whatsapp.net")
    named = content.get("mentions")
    context = e2e.ContextInfo(mentionedJID=named) if named else None

    found = said(compose(content, Composing(library=e2e, about=key, context=context)), PEOPLE)

    assert found is not None
    assert (found.content, found.is_partial) == (content, False)
    assert found.about == key
    reference = {**TARGET, "chat": "4915550002@s.whatsapp.net"}
    TypeAdapter(Content).validate_python({**found.content, "target": reference})


@pytest.mark.parametrize("content", [*CONTENTS, *ABOUT_OTHERS, *ABOUT_OWN])
def test_simulated_phones_know_every_kind(content: dict[str, Any]) -> None:
    """None is shown as something else, or not at all."""
    compose = COMPOSED[content["kind"]].compose
    assert compose is not None
    key = e2e.ReactionMessage().key
    fill_key(key, {**TARGET, "from_me": True}, "4915550002@s.whatsapp.net")

    message = compose(content, Composing(library=e2e, about=key))

    shown = read_content(message.SerializeToString())
    assert shown.kind in {content["kind"], f"{content['kind']}s"}


@pytest.mark.parametrize("content", ABOUT_OWN)
def test_what_only_its_writer_can_do(content: dict[str, Any]) -> None:
    """Nothing is made that would be about a message of somebody else."""
    compose = COMPOSED[content["kind"]].compose
    assert compose is not None
    key = e2e.ReactionMessage().key
    fill_key(key, TARGET, "4915550002@s.whatsapp.net")

    with pytest.raises(RecipientError):
        compose(content, Composing(library=e2e, about=key))


def test_what_an_admin_deletes() -> None:
    """In a group the writer is named, which says that it is another one; and so it is told."""
    compose = COMPOSED["revoke"].compose
    assert compose is not None
    key = e2e.ReactionMessage().key
    fill_key(key, TARGET, "120363000000000001@g.us")

    found = said(compose({"kind": "revoke"}, Composing(library=e2e, about=key)), PEOPLE)

    assert found is not None
    assert (found.about.fromMe, found.about.participant) == (False, TARGET["participant"])


@pytest.mark.parametrize(
    ("edited", "text"),
    [
        (e2e.Message(imageMessage=e2e.ImageMessage(caption="look")), "look"),
        (e2e.Message(imageMessage=e2e.ImageMessage()), ""),
        (
            e2e.Message(
                documentWithCaptionMessage=e2e.FutureProofMessage(
                    message=e2e.Message(documentMessage=e2e.DocumentMessage(caption="read"))
                )
            ),
            "read",
        ),
        (e2e.Message(locationMessage=e2e.LocationMessage()), None),
        (e2e.Message(), None),
    ],
)
def test_an_edited_caption(edited: Any, text: str | None) -> None:
    """It is told as a text, and what has none by its name; the writer is who has edited it."""
    key = {"ID": "3EB0AB", "fromMe": False}
    change = e2e.ProtocolMessage(type=14, key=key, editedMessage=edited)

    found = said(e2e.Message(protocolMessage=change), PEOPLE)

    assert found is not None
    if text is None:
        assert found.content == {
            "kind": "unsupported",
            "message_type": "protocolMessage.MESSAGE_EDIT",
        }
    else:
        assert found.content == {"kind": "edit", "text": text}
        assert found.about.fromMe


@pytest.mark.parametrize(
    ("degrees", "told"),
    [(91.0, 90.0), (-1e300, -90.0), (math.nan, 0.0), (math.inf, 90.0)],
)
def test_a_place_that_is_not_on_earth(degrees: float, told: float) -> None:
    """It is told as near as there is one, and in part."""
    place = e2e.LocationMessage(degreesLatitude=degrees, degreesLongitude=13.0)

    found = said(e2e.Message(locationMessage=place), PEOPLE)

    assert found is not None
    assert (found.content["latitude"], found.is_partial) == (told, True)
    TypeAdapter(Content).validate_python(found.content)


def test_more_cards_than_are_told() -> None:
    """The first of them are, and it is said that there were more."""
    card = e2e.ContactMessage(displayName="x" * 2_000, vcard="y" * 10_000)
    cards = e2e.ContactsArrayMessage(contacts=[card] * 300)

    found = said(e2e.Message(contactsArrayMessage=cards), PEOPLE)

    assert found is not None
    assert (len(found.content["cards"]), found.is_partial) == (256, True)
    assert len(found.content["cards"][0]["display_name"]) == 1_024
    TypeAdapter(Content).validate_python(found.content)
