"""What is about another message goes out to a phone and comes in from one."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from gateway_contracts import (
    ErrorCode,
    MessageEdited,
    MessageReaction,
    MessageRevoked,
    SentInfo,
)
from tests.e2e.shared.talk import Talk, arrived, arrived_own

EMOJI = "\N{THUMBS UP SIGN}"


async def test_reactions(talk: Talk) -> None:
    """To a message of either, and taken back; the writer is found in the history."""
    theirs = await talk.other.send_text(talk.phone.number, "hello")
    await talk.received(theirs)
    ours = (await talk.send({"kind": "text", "text": "hello too"})).message_id

    for target, is_theirs in ((theirs, False), (ours, True)):
        content = {"kind": "reaction", "target": {"message_id": target}, "emoji": EMOJI}
        shown = await talk.shown(await talk.send(content))
        assert (shown.kind, shown.text, shown.target_id) == ("reaction", EMOJI, target)
        key = shown.content["reactionMessage"]["key"]
        assert (key["fromMe"], "participant" in key) == (is_theirs, False)
    back = {"kind": "reaction", "target": {"message_id": theirs}, "emoji": ""}
    shown = await talk.shown(await talk.send(back))
    assert (shown.kind, shown.text, shown.target_id) == ("reaction", "", theirs)

    expected = {"kind": "reaction", "target": talk.reference(ours, from_me=True), "emoji": EMOJI}
    told = partial(talk.told, MessageReaction)
    assert await told(await talk.other.react(ours, EMOJI)) == expected
    assert await told(await talk.other.react(ours, "")) == {**expected, "emoji": ""}
    mine = await talk.phone.react(await arrived(talk.phone, theirs), EMOJI)
    assert await told(mine, from_me=True) == {
        **expected,
        "target": talk.reference(theirs, from_me=False),
    }


async def test_edits(talk: Talk) -> None:
    """Of a text of the account's own; one of somebody else cannot be edited."""
    ours = (await talk.send({"kind": "text", "text": "helo"})).message_id
    theirs = await talk.other.send_text(talk.phone.number, "helo you")
    await talk.received(theirs)

    content = {"kind": "edit", "target": {"message_id": ours}, "text": "hello"}
    sent = await talk.send(content)
    shown = await talk.shown(sent)
    assert (shown.kind, shown.text, shown.target_id) == ("edit", "hello", ours)
    assert sent.message_id != ours
    mine = await arrived_own(talk.phone, sent.message_id)
    assert (mine.kind, mine.text, mine.target_id) == ("edit", "hello", ours)
    content["target"] = {"message_id": theirs}
    failed = await talk.gateway.fail(talk.command(content))
    assert failed.data.error.code is ErrorCode.INVALID_COMMAND
    assert [error.pointer for error in failed.data.error.errors] == ["/data/content/target"]

    told = partial(talk.told, MessageEdited)
    assert await told(await talk.other.edit(theirs, "hello you")) == {
        "kind": "edit",
        "target": talk.reference(theirs, from_me=False),
        "text": "hello you",
        "mentions": [],
    }
    change = await talk.phone.edit(await arrived_own(talk.phone, ours), "hello again")
    assert await told(change, from_me=True) == {
        "kind": "edit",
        "target": talk.reference(ours, from_me=True),
        "text": "hello again",
        "mentions": [],
    }


async def test_revocations(talk: Talk) -> None:
    """Of a message of the account's own; between two nobody can revoke what the other wrote."""
    ours = (await talk.send({"kind": "text", "text": "wrong chat"})).message_id
    theirs = await talk.other.send_text(talk.phone.number, "wrong chat, too")
    await talk.received(theirs)

    content = {"kind": "revoke", "target": {"message_id": ours}}
    shown = await talk.shown(await talk.send(content))
    assert (shown.kind, shown.target_id) == ("revoke", ours)
    assert shown.content["protocolMessage"]["key"]["fromMe"]
    content["target"] = {"message_id": theirs}
    failed = await talk.gateway.fail(talk.command(content))
    assert failed.data.error.code is ErrorCode.INVALID_COMMAND

    expected = {"kind": "revoke", "target": talk.reference(theirs, from_me=False)}
    assert await talk.told(MessageRevoked, await talk.other.revoke(theirs)) == expected


async def test_a_reply_quotes_what_a_message_says_now(talk: Talk) -> None:
    """Its edited text; nothing of what was deleted."""
    theirs = await talk.other.send_text(talk.phone.number, "helo")
    await talk.received(theirs)
    await talk.told(MessageEdited, await talk.other.edit(theirs, "hello"))
    answer = {"kind": "text", "text": "hello you"}
    quoting = {"reply_to": {"message_id": theirs}}

    sent = await talk.gateway.succeed(talk.command(answer, **quoting))
    context = (await talk.shown(sent)).content["extendedTextMessage"]["contextInfo"]
    assert context["quotedMessage"] == {"conversation": "hello"}
    await talk.told(MessageRevoked, await talk.other.revoke(theirs))
    sent = await talk.gateway.succeed(talk.command(answer, **quoting))
    context = (await talk.shown(sent)).content["extendedTextMessage"]["contextInfo"]
    assert context["quotedMessage"] == {"conversation": ""}


async def test_a_reply_to_a_place_is_told_with_what_it_quotes(talk: Talk) -> None:
    """Both ways: with kind and text, and who wrote it."""
    place = {"kind": "location", "latitude": 52.5, "longitude": 13.4, "place": "Harbour"}
    ours = await talk.send(place)
    answer = await talk.other.send_text(
        talk.phone.number, "there?", reply_to=await talk.shown(ours)
    )

    event = await talk.received(answer)
    quoting = {"reply_to": {"message_id": answer}}
    place_of_answer = talk.command({**place, "place": "Pier"}, **quoting)
    shown = await talk.shown(await talk.gateway.succeed(place_of_answer))

    assert event.data.reply_to is not None
    assert event.data.reply_to.model_dump() == {
        "message_id": ours.message_id,
        "participant": talk.me,
        "from_me": True,
        "chat": None,
        "kind": "location",
        "text": "Harbour",
    }
    context = shown.content["locationMessage"]["contextInfo"]
    assert context["quotedMessage"] == {"conversation": "there?"}
    again = talk.command(place, reply_to={"message_id": ours.message_id})
    shown = await talk.shown(await talk.gateway.succeed(again))
    quoted = shown.content["locationMessage"]["contextInfo"]["quotedMessage"]
    assert quoted["locationMessage"]["name"] == "Harbour"


async def test_what_stands_elsewhere_is_answered(talk: Talk) -> None:
    """A member of a group in private, and who has posted to the status; so the answers are told."""
    group = talk.other.groups.create("Club", [talk.phone.number])
    asked = await talk.other.send_text(group.jid, "Who has the key?")
    await talk.received(asked)
    place = str(group.jid)
    content = {"kind": "text", "text": "I have"}

    command = talk.command(content, reply_to={"message_id": asked, "chat": place})
    shown = await talk.shown(await talk.gateway.succeed(command))

    context = shown.content["extendedTextMessage"]["contextInfo"]
    assert (context["stanzaID"], context["remoteJID"]) == (asked, place)
    assert context["quotedMessage"] == {"conversation": "Who has the key?"}
    post = {"message_id": "3EB0AB", "participant": talk.chat, "chat": "status@broadcast"}
    shown = await talk.shown(await talk.gateway.succeed(talk.command(content, reply_to=post)))
    context = shown.content["extendedTextMessage"]["contextInfo"]
    assert (context["stanzaID"], context["remoteJID"]) == ("3EB0AB", "status@broadcast")
    back = await talk.other.send_content(talk.phone.number, shown.content)
    answered = (await talk.received(back)).data.reply_to
    assert answered is not None
    assert (answered.message_id, answered.chat) == ("3EB0AB", "status@broadcast")
    to_group = talk.command(content, reply_to=post)
    to_group = to_group.model_copy(update={"data": to_group.data.model_copy(update={"to": place})})
    failed = await talk.gateway.fail(to_group)
    assert failed.data.error.errors[0].pointer == "/data/reply_to/chat"


async def test_the_parts_of_an_album(talk: Talk) -> None:
    """They name its frame, both ways."""
    frame = await talk.send({"kind": "album", "images": 2})
    place = {"kind": "location", "latitude": 52.5, "longitude": 13.4}

    sent = await talk.gateway.succeed(talk.command(place, album_id=frame.message_id))

    shown = await talk.shown(sent)
    association = shown.content["messageContextInfo"]["messageAssociation"]
    assert association["associationType"] == "MEDIA_ALBUM"
    assert association["parentMessageKey"]["ID"] == frame.message_id
    theirs = await talk.other.send_content(
        talk.phone.number,
        {
            "locationMessage": {"degreesLatitude": 52.5},
            "messageContextInfo": {
                "messageAssociation": {
                    "associationType": "MEDIA_ALBUM",
                    "parentMessageKey": {"ID": "3EB0A1"},
                }
            },
        },
    )
    assert (await talk.received(theirs)).data.album_id == "3EB0A1"


@pytest.mark.parametrize("is_inside", [False, True], ids=["around it", "in it"])
async def test_a_picture_in_high_definition(talk: Talk, *, is_inside: bool) -> None:
    """It says of which message it is, wherever the app of its sender writes that."""
    association = {"associationType": "HD_IMAGE_DUAL_UPLOAD", "parentMessageKey": {"ID": "3EB0A1"}}
    context = {"messageContextInfo": {"messageAssociation": association}}
    inner = {"imageMessage": {"caption": "At the sea"}, **(context if is_inside else {})}
    wire = {"associatedChildMessage": {"message": inner}, **({} if is_inside else context)}

    event = await talk.received(await talk.other.send_content(talk.phone.number, wire))

    assert (event.data.hd_of, event.data.content.kind) == ("3EB0A1", "image")


async def test_a_forward(talk: Talk) -> None:
    """What a message says now goes to somebody else, and who gets one is told how often."""
    theirs = await talk.other.send_text(talk.phone.number, "helo all")
    await talk.received(theirs)
    await talk.told(MessageEdited, await talk.other.edit(theirs, "hello all"))
    third = await talk.gateway.sandbox.add_phone()
    message = {"chat": talk.chat, "message_id": theirs}
    command = talk.command({"kind": "forward", "message": message, "score": 5})
    command = command.model_copy(
        update={"data": command.data.model_copy(update={"to": third.number})}
    )

    sent = await talk.gateway.succeed(command)

    assert isinstance(sent, SentInfo)
    shown = (await arrived(third, sent.message_id)).content["extendedTextMessage"]
    assert shown["text"] == "hello all"
    assert shown["contextInfo"] == {"isForwarded": True, "forwardingScore": 5}
    back = await third.send_content(talk.phone.number, {"extendedTextMessage": shown})
    forwarded = (await talk.received(back)).data.forwarded
    assert forwarded is not None
    assert (forwarded.score, forwarded.many) == (5, True)
    often = talk.command({"kind": "forward", "message": message, "score": 128})
    shown = (await talk.shown(await talk.gateway.succeed(often))).content["extendedTextMessage"]
    assert shown["contextInfo"]["forwardingScore"] == 127
    unknown = {"kind": "forward", "message": {**message, "message_id": "3EB0FFFFFFFFFFFFFFFF"}}
    failed = await talk.gateway.fail(talk.command(unknown))
    assert failed.data.error.errors[0].pointer == "/data/content/message/message_id"
    nowhere = {"kind": "forward", "message": {**message, "chat": "the club"}}
    failed = await talk.gateway.fail(talk.command(nowhere))
    assert failed.data.error.errors[0].pointer == "/data/content/message/chat"


@pytest.mark.parametrize(
    ("target", "more", "pointer"),
    [
        ({"message_id": "3EB0FFFFFFFFFFFFFFFF"}, {}, "/data/content/target/message_id"),
        ({"message_id": "3EB0AB"}, {"reply_to": {"message_id": "3EB0AB"}}, "/data/reply_to"),
        ({"message_id": "3EB0AB", "participant": "Ada"}, {}, "/data/content/target/participant"),
    ],
)
async def test_what_nothing_can_be_about(
    talk: Talk, target: dict[str, Any], more: dict[str, Any], pointer: str
) -> None:
    """A message that nobody knows, of nobody, and one that is at the same time to be answered."""
    content = {"kind": "reaction", "target": target, "emoji": EMOJI}

    failed = await talk.gateway.fail(talk.command(content, **more))

    assert failed.data.error.code is ErrorCode.INVALID_COMMAND
    assert [error.pointer for error in failed.data.error.errors] == [pointer]
