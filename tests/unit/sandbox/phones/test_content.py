"""Content of every kind between two simulated phones, and what it looks like on the way."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from gateway_worker.sandbox.phones.content import from_json, read_content, to_json
from gateway_worker.sandbox.phones.errors import InvalidContentError
from gateway_worker.sandbox.phones.form import form_of
from gateway_worker.sandbox.phones.wa_e2e import Message
from gateway_worker.sandbox.signal.errors import MalformedMessageError
from gateway_worker.sandbox.wire.jid import Jid, lid
from tests.support.contents import CONTACT, LOCATION, REACTION, about
from tests.support.kinds import CASES, Case, each

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway_worker.sandbox.phones.phone import Phone

Pair = tuple["Phone", "Phone"]
TEXT = {"conversation": "hello"}


@pytest.mark.parametrize(
    ("kind", "text", "content"),
    [
        ("image", "a view", {"imageMessage": {"caption": "a view", "directPath": "/v/x?y"}}),
        (
            "poll",
            "",
            {"pollCreationMessageV3": {"name": "When?", "options": [{"optionName": "8"}]}},
        ),
        ("other", "", {"invoiceMessage": {"note": "Party"}}),
        (
            "image",
            "once",
            {"viewOnceMessageV2": {"message": {"imageMessage": {"caption": "once"}}}},
        ),
    ],
)
async def test_content_of_every_kind_arrives_as_it_was_written(
    phones: Pair, kind: str, text: str, content: dict[str, Any]
) -> None:
    """Field by field, also of a kind that the phone has no name for."""
    anna, ben = phones

    message_id = await anna.send_content(ben.number, content)

    message = await ben.next_message()
    assert (message.message_id, message.kind, message.text) == (message_id, kind, text)
    assert message.content == content
    assert anna.message(message_id).content == content


@each(*(one for one in CASES if one.about is None))
async def test_content_of_the_contracts_kinds_arrives_as_it_was_written(
    phones: Pair, case: Case
) -> None:
    """So that what a test finds in a phone is what was sent."""
    anna, ben = phones

    message_id = await anna.send_content(ben.number, case.wire)

    message = await ben.next_message()
    written = (
        ""
        if case.kind in {"order", "product", "buttons", "list_menu"}
        else case.contract.get("text")
    )
    text = written or case.contract.get("caption", "")
    assert (message.message_id, message.text) == (message_id, text)
    assert message.kind in {case.kind, f"{case.kind}s"}
    assert (message.content, anna.message(message_id).content) == (case.wire, case.wire)


@pytest.mark.parametrize("kind", ["reaction", "edit", "revoke"])
async def test_what_points_to_a_message_can_be_written_as_content(phones: Pair, kind: str) -> None:
    """It is what the phone's own shorthand sends."""
    anna, ben = phones
    message_id = await anna.send_text(ben.number, "helo")
    await ben.next_message()
    content = about(message_id, ben.jid, from_me=True)[kind]
    shorthands: dict[str, Callable[[], Awaitable[object]]] = {
        "reaction": lambda: anna.react(message_id, REACTION),
        "edit": lambda: anna.edit(message_id, "hello"),
        "revoke": lambda: anna.revoke(message_id),
    }

    await anna.send_content(ben.number, content)
    await shorthands[kind]()

    written, short = await ben.next_message(), await ben.next_message()
    assert (written.kind, written.target_id) == (kind, message_id)
    assert written.content == short.content == content
    assert (written.text, written.target_id) == (short.text, short.target_id)


async def test_content_can_quote_and_name(phones: Pair) -> None:
    """Also where it is wrapped, as what disappears is."""
    anna, ben = phones
    question_id = await anna.send_text(ben.number, "where?")
    question = await ben.next_message()
    wrapped = {"ephemeralMessage": {"message": LOCATION}}

    for content in (LOCATION, wrapped, {"conversation": "there"}):
        await ben.send_content(anna.number, content, reply_to=question, mentions=[anna.number])

    for _ in range(3):
        reply = await anna.next_message()
        assert (reply.quoted_id, reply.mentions) == (question_id, (anna.jid,))
    assert "extendedTextMessage" in reply.content


@pytest.mark.parametrize(
    "content",
    [
        {"noSuchMessage": {}},
        {"locationMessage": {"degreesLatitude": "north"}},
        {"protocolMessage": {"type": "NO_SUCH_TYPE"}},
    ],
)
async def test_what_is_no_content_is_refused(phones: Pair, content: dict[str, Any]) -> None:
    """Before anything is sent."""
    anna, ben = phones

    with pytest.raises(InvalidContentError):
        await anna.send_content(ben.number, content)

    assert len(anna.own_messages) == 0


async def test_a_kind_that_cannot_quote_is_refused(phones: Pair) -> None:
    """A reaction has no place for a quote."""
    anna, ben = phones
    message_id = await anna.send_text(ben.number, "hi")
    reaction = about(message_id, ben.jid, from_me=True)["reaction"]

    with pytest.raises(InvalidContentError):
        await anna.send_content(ben.number, reaction, reply_to=message_id)


def test_bytes_that_are_no_content_are_malformed() -> None:
    """Whoever sent them, the phone says so."""
    with pytest.raises(MalformedMessageError):
        read_content(b"\xff\xff\xff")


def test_a_message_between_devices_is_never_shown() -> None:
    """Neither one with a type that this phone does not know, which reads as the first."""
    history = Message()
    history.protocolMessage.type = 5
    unknown = Message.FromString(bytes.fromhex("6208 0a03 1a0158 10e707"))
    for message in (history, unknown):
        assert read_content(message.SerializeToString()).kind == "protocol"


@pytest.mark.parametrize(
    ("content", "stanza", "sealed"),
    [
        (TEXT, {"type": "text"}, {}),
        (LOCATION, {"type": "text"}, {}),
        (CONTACT, {"type": "media"}, {"mediatype": "vcard"}),
        ({"audioMessage": {"PTT": True}}, {"type": "media"}, {"mediatype": "ptt"}),
        ({"audioMessage": {}}, {"type": "media"}, {"mediatype": "audio"}),
        ({"videoMessage": {"gifPlayback": True}}, {"type": "media"}, {"mediatype": "gif"}),
        ({"pollUpdateMessage": {}}, {"type": "poll"}, {"decrypt-fail": "hide"}),
        ({"encReactionMessage": {}}, {"type": "reaction"}, {"decrypt-fail": "hide"}),
        ({"encEventResponseMessage": {}}, {"type": "text"}, {"decrypt-fail": "hide"}),
        ({"secretEncryptedMessage": {}}, {"type": "text", "edit": "1"}, {}),
    ],
)
async def test_a_stanza_says_in_the_clear_what_it_holds(
    content: dict[str, Any], stanza: dict[str, str], sealed: dict[str, str]
) -> None:
    """Receivers and the service go by that."""
    form = form_of(parsed(content))

    assert (form.message, form.ciphertext) == (stanza, sealed)


def test_what_changes_a_message_says_so_in_the_clear() -> None:
    """With the codes of an edit, a deletion (one's own or an admin's) and a taken reaction."""
    mine, others = (about("ID", lid("1"), from_me=own) for own in (True, False))
    taken = {"reactionMessage": {"text": ""}}

    assert edit_of(mine["edit"]) == "1"
    assert edit_of(mine["revoke"]) == "7"
    assert edit_of(others["revoke"]) == "8"
    assert edit_of(mine["reaction"]) is None
    assert edit_of(taken) == "7"
    assert form_of(parsed(taken)).message["type"] == "reaction"


def parsed(content: dict[str, Any]) -> Message:
    """Return content as the library's message."""
    return from_json(content)


def edit_of(content: dict[str, Any]) -> str | Jid | None:
    """Return the code of a change."""
    return form_of(parsed(content)).message.get("edit")


def test_content_is_shown_without_loss() -> None:
    """What is written as protojson reads the same."""
    assert to_json(parsed(LOCATION).SerializeToString()) == LOCATION


def test_content_is_there_without_the_runtime_of_the_library() -> None:
    """Its classes are imported, and neither the package nor its native part is loaded."""
    code = (
        "import sys, gateway_worker.sandbox.phones.wa_e2e;"
        "sys.exit('neonize' in sys.modules or 'neonize-' in open('/proc/self/maps').read())"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
