"""Every kind of the contract goes both ways in the host, whatever strangers write."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, get_args

import msgspec
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from pydantic import BaseModel, TypeAdapter

from gateway_contracts import Content
from gateway_contracts.content import ARRIVING_KINDS, SENDABLE_KINDS
from gateway_contracts.events.change import ChangeEvent
from gateway_worker.sandbox.phones.content import read_content
from gateway_worker.whatsapp.convert.content import said
from gateway_worker.whatsapp.convert.kinds import COMPOSED, CONVERTED, EVENTS, KINDS, Composing
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.recipients import RecipientError
from gateway_worker.whatsapp.convert.references import fill_key
from tests.support.kinds import CASES, About, Case, each, parts_of
from tests.support.kinds import case as case_of
from tests.unit.whatsapp.library_messages import e2e

PEOPLE = People(phone_of=lambda _: None)
TARGET = {"message_id": "3EB0AB", "participant": "4915550002@s.whatsapp.net", "from_me": False}
CHAT = "4915550002@s.whatsapp.net"
BY_THE_WORKER = {"forward"}
"""What the worker turns into another kind before the host is asked."""
ALONE = [one for one in CASES if one.about is None]
ABOUT = [one for one in CASES if one.about is not None]
ABOUT_OWN = [one for one in ABOUT if one.about is About.OWN]


def key_of(*, from_me: bool) -> Any:
    """Return the library's key of the message that a content is about."""
    key = e2e.ReactionMessage().key
    fill_key(key, {**TARGET, "from_me": from_me}, CHAT)
    return key


def composed(case: Case, *, about: Any = None, quoting: Any = None) -> Any:
    """Return what is made of a content for the library."""
    compose = COMPOSED[case.kind].compose
    assert compose is not None
    named = case.contract.get("mentions", ())
    context = e2e.ContextInfo(mentionedJID=named) if named or quoting else None
    if context is not None and quoting is not None:
        context.MergeFrom(quoting)
    return compose(
        case.contract,
        Composing(
            library=e2e,
            about=about,
            about_kind=case.about_kind,
            context=context,
            attachment=case.attachment,
        ),
    )


def without_media(content: dict[str, Any]) -> dict[str, Any]:
    """Return a content without its file and whose its preview is: both are told otherwise then."""
    told = {name: value for name, value in content.items() if name != "media"}
    if "link_preview" in told:
        told["link_preview"] = {
            name: value for name, value in told["link_preview"].items() if name != "mode"
        }
    return told


def as_json(message: Any) -> dict[str, Any]:
    """Return a message of the library as protojson."""
    found: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return found


def from_json(wire: dict[str, Any]) -> Any:
    """Return protojson as a message of the library."""
    return ParseDict(wire, e2e.Message())


def test_contract_and_host_know_the_same_kinds() -> None:
    """A kind that one side lacks would fail when it is first used."""
    names = {kind.name for kind in KINDS}

    composed_kinds = {name for name in names if COMPOSED[name].compose is not None}
    assert composed_kinds == set(SENDABLE_KINDS) - BY_THE_WORKER
    assert {kind.name for kind in KINDS if kind.fields} == set(ARRIVING_KINDS) - {"unsupported"}
    fields = e2e.Message.DESCRIPTOR.fields_by_name
    uses = {
        f"protocolMessage.{use}"
        for use in fields["protocolMessage"]
        .message_type.fields_by_name["type"]
        .enum_type.values_by_name
    }
    assert set(CONVERTED) <= set(fields) | uses | {"audioMessage.PTT"}


def test_contract_and_host_know_the_same_events() -> None:
    """What changes something arrives as the event that has this kind, and as no other."""
    events = {
        model.model_fields["type"].default: content_of(model).model_fields["kind"].default
        for model in get_args(ChangeEvent)
    }

    assert {event: kind for kind, event in EVENTS.items()} == events


def content_of(event: type[BaseModel]) -> type[BaseModel]:
    """Return the model of the content that an event has."""
    data: Any = event.model_fields["data"].annotation
    content: type[BaseModel] = data.model_fields["content"].annotation
    return content


def test_every_kind_has_a_file() -> None:
    """With a case for each way that it goes."""
    assert {one.kind for one in CASES} == {kind.name for kind in KINDS}
    assert {one.kind for one in CASES if one.is_sent} == set(SENDABLE_KINDS) - BY_THE_WORKER
    assert {one.kind for one in CASES if one.arrives} == set(ARRIVING_KINDS) - {"unsupported"}


@each(*(one for one in ALONE if one.is_sent))
def test_what_is_sent(case: Case) -> None:
    """As it is on the wire; and what answers another message says so."""
    quoting = e2e.ContextInfo(stanzaID="3EB0Q", participant="9@lid")

    quoted = said(composed(case, quoting=quoting), PEOPLE)

    assert parts_of(case.wire, as_json(composed(case))) == case.wire
    assert quoted is not None
    assert quoted.envelope["reply_to"]["message_id"] == "3EB0Q"
    assert without_media(quoted.content).items() >= without_media(case.contract).items()


@each(*(one for one in ALONE if one.arrives))
def test_what_arrives(case: Case) -> None:
    """As the contract writes it, and whole."""
    found = said(from_json(case.wire), PEOPLE)

    assert found is not None
    assert (found.content, found.is_partial) == (case.contract, False)
    assert found.media == case.reference
    TypeAdapter(Content).validate_python(found.content)


@each(*(one for one in ALONE if one.arrives and COMPOSED[one.kind].quote is not None))
def test_what_a_reply_shows(case: Case) -> None:
    """The same kind, and of a file what it is, without what it takes to read it."""
    quote = COMPOSED[case.kind].quote
    assert quote is not None
    given = msgspec.json.decode(msgspec.json.encode(case.contract))

    shown = quote(given, Composing(library=e2e))

    found = said(shown, PEOPLE)
    assert found is not None
    assert found.content["kind"] == case.kind
    assert found.media is None
    if case.has_media:
        told = ("caption", "file_name", "animated", "gif", "video_note")
        assert {name: found.content.get(name) for name in told} == {
            name: case.contract.get(name) for name in told
        }


@each(*CASES)
def test_simulated_phones_know_every_kind(case: Case) -> None:
    """None is shown as something else, or not at all."""
    wire = case.wire_about(as_json(key_of(from_me=True)))

    shown = read_content(from_json(wire).SerializeToString())

    assert shown.kind in {case.kind, f"{case.kind}s"}


@pytest.mark.parametrize("from_me", [True, False])
@each(*ABOUT)
def test_what_is_about_a_message(case: Case, from_me: bool) -> None:  # noqa: FBT001
    """With the key of that message, both ways."""
    key = key_of(from_me=from_me)
    wire = case.wire_about(as_json(key))
    if case.is_sent and (from_me or case.about is About.ANY):
        sent = as_json(composed(case, about=key))
        assert parts_of(wire, sent) == wire
    if not case.arrives:
        return

    found = said(from_json(wire), PEOPLE)

    assert found is not None
    assert (found.content, found.is_partial) == (case.contract, False)
    assert TARGET["message_id"] == found.about.ID
    if from_me or case.about is About.ANY:
        assert found.about == key
    TypeAdapter(Content).validate_python({**found.content, "target": {**TARGET, "chat": CHAT}})


@each(*(one for one in CASES if one.attachment is not None))
def test_nothing_is_sent_without_its_file(case: Case) -> None:
    """A message that shows a file that is nowhere is worse than none."""
    with pytest.raises(RecipientError):
        composed(dataclasses.replace(case, attachment=None))


@each(*(one for one in CASES if one.attachment is not None))
def test_a_reply_shows_what_a_file_is(case: Case) -> None:
    """Every kind that has one can be answered."""
    assert COMPOSED[case.kind].quote is not None


@each(*(one for one in CASES if one.attachment is not None))
def test_what_is_sent_can_be_fetched(case: Case) -> None:
    """By whoever gets it, with the keys of the upload."""
    found = said(composed(case), PEOPLE)

    assert found is not None
    assert found.media is not None
    assert case.attachment is not None
    uploaded = case.attachment.uploaded
    assert (found.media.direct_path, found.media.media_key) == (
        uploaded.direct_path,
        uploaded.media_key,
    )
    assert found.media.thumbnail == (
        case.attachment.thumbnail if case.kind in {"image", "video", "document"} else None
    )


@each(*ABOUT_OWN)
def test_what_only_its_writer_can_do(case: Case) -> None:
    """Nothing is made that would be about a message of somebody else."""
    with pytest.raises(RecipientError):
        composed(case, about=key_of(from_me=False))


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


IMAGE = case_of("image", "with a caption")


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"directPath": ""}, "the message does not say where the file is"),
        ({"directPath": "v/x"}, "the message does not say where the file is"),
        ({"directPath": "/v/a b"}, "the message does not say where the file is"),
        ({"directPath": "/\\evil.example/x"}, "the message does not say where the file is"),
        ({"directPath": "/" + 5_000 * "x"}, "the message does not say where the file is"),
        ({"mediaKey": "AAAA"}, "the message has no key of the file"),
        ({"fileSHA256": ""}, "the message does not have the file's hashes"),
        ({"fileEncSHA256": "AAAA"}, "the message does not have the file's hashes"),
        ({"fileLength": str(1 << 63)}, "the file has a size that no file on WhatsApp has"),
    ],
)
def test_a_file_that_cannot_be_fetched(change: dict[str, str], detail: str) -> None:
    """The message is told with the reason, and nobody tries."""
    message = from_json({"imageMessage": {**IMAGE.wire["imageMessage"], **change}})

    found = said(message, PEOPLE)

    assert found is not None
    assert found.media is None
    media = found.content["media"]
    assert (media["state"], media["error"]["detail"]) == ("failed", detail)
    assert found.content["caption"] == IMAGE.contract["caption"]
    TypeAdapter(Content).validate_python(found.content)


def test_what_a_stranger_says_of_a_file() -> None:
    """It is cut where the contract has a bound, and a thumbnail that is too large stays behind."""
    message = e2e.Message.FromString(from_json(case_of("voice", "plain").wire).SerializeToString())
    message.audioMessage.mimetype = "x" * 300
    message.audioMessage.waveform = bytes(range(256))
    picture = from_json(IMAGE.wire)
    picture.imageMessage.JPEGThumbnail = bytes(65 * 1024)

    voice, image = said(message, PEOPLE), said(picture, PEOPLE)

    assert voice is not None
    assert voice.is_partial
    assert voice.content["media"]["waveform"] == list(range(64))
    assert len(voice.content["media"]["mime_type"]) == 255
    TypeAdapter(Content).validate_python(voice.content)
    assert image is not None
    assert image.media is not None
    assert image.media.thumbnail is None


def test_what_may_be_seen_once() -> None:
    """The library has taken the wrapper off and says so beside the message."""
    found = said(from_json(IMAGE.wire), PEOPLE, is_view_once=True)
    text = said(e2e.Message(conversation="hello"), PEOPLE, is_view_once=True)

    assert found is not None
    assert found.content["view_once"] is True
    assert text is not None
    assert text.content == {"kind": "text", "text": "hello"}


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
