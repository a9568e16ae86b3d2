"""Phones in a group, and what they show to their contacts."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.phones.errors import (
    InvalidContentError,
    NotDeliveredError,
    UnknownRecipientError,
)
from gateway_worker.sandbox.phones.media.draft import MediaDraft
from gateway_worker.sandbox.phones.media.kinds import MediaKind
from gateway_worker.sandbox.phones.outgoing import peer_of
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.phones.sealing import Purpose, unseal
from gateway_worker.sandbox.phones.values import ReceiptKind
from gateway_worker.sandbox.phones.wa_e2e import EventResponseMessage, Message
from gateway_worker.sandbox.service.errors import GroupRefusedError
from gateway_worker.sandbox.service.fault_rules import Corrupt, Point, Rule, Who
from gateway_worker.sandbox.wire.jid import STATUS, Jid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway_worker.sandbox.phones.values import ChatMessage
    from gateway_worker.sandbox.service.service import Service

Three = tuple[Phone, Phone, Phone]


@pytest.fixture
async def three(service: Service) -> AsyncIterator[Three]:
    """Switch three phones on; afterwards nothing must have gone wrong on them."""
    async with AsyncExitStack() as stack:
        anna, ben, cleo = [
            await stack.enter_async_context(
                Phone.open(service=service, number=number, push_name=name)
            )
            for number, name in (("491", "Anna"), ("492", "Ben"), ("493", "Cleo"))
        ]
        yield anna, ben, cleo
        for phone in (anna, ben, cleo):
            assert list(phone.handling_errors) == []


@pytest.fixture
def group(three: Three) -> Jid:
    """Return a group of the three, made by Anna."""
    anna, ben, cleo = three
    return anna.groups.create("Club", [ben.number, cleo.jid]).jid


async def test_what_one_writes_all_members_read(three: Three, group: Jid) -> None:
    """Filed under the group, with the writer; each confirms to the writer."""
    anna, *others = three

    message_id = await anna.send_text(group, "hello all")

    for phone in others:
        message = await phone.next_message()
        assert (message.message_id, message.text) == (message_id, "hello all")
        assert (message.chat, message.sender, message.from_me) == (group, anna.jid, False)
        assert message.sender_number == anna.number
    seen = [await anna.receipts.next(timeout=1) for _ in others]
    assert {one.sender for one in seen} == {phone.jid for phone in others}
    assert {one.kind for one in seen} == {ReceiptKind.DELIVERED}
    (own,) = anna.own_messages
    assert (own.chat, own.from_me, own.message_id) == (group, True, message_id)


async def test_many_messages_of_all_keep_their_order(three: Three, group: Jid) -> None:
    """Every sender has a key of its own, which is given once."""
    texts = [str(number) for number in range(20)]
    for text in texts:
        for phone in three:
            await phone.send_text(group, text)

    for phone in three:
        got = [await phone.next_message() for _ in range(2 * len(texts))]
        for other in three:
            if other is not phone:
                assert [one.text for one in got if one.sender == other.jid] == texts


async def test_replies_reactions_and_changes_name_the_writer(three: Three, group: Jid) -> None:
    """Whoever is meant by what is said in a group is said by name."""
    anna, ben, cleo = three
    question_id = await anna.send_text(group, "who comes?")
    question = await ben.next_message()
    await cleo.next_message()

    await ben.send_text(group, f"@{cleo.number}?", reply_to=question, mentions=[cleo.number])
    await ben.react(question, "\N{THUMBS UP SIGN}")
    await anna.edit(question_id, "who comes today?")
    await anna.revoke(question_id)

    reply, reaction, edit, revocation = [await cleo.next_message() for _ in range(4)]
    assert (reply.quoted_id, reply.mentions) == (question_id, (cleo.jid,))
    context = reply.content["extendedTextMessage"]["contextInfo"]
    assert context["participant"] == str(anna.jid)
    key = reaction.content["reactionMessage"]["key"]
    assert (key["ID"], key["participant"]) == (question_id, str(anna.jid))
    assert (key["remoteJID"], key.get("fromMe", False)) == (str(group), False)
    assert (edit.kind, edit.target_id, edit.text) == ("edit", question_id, "who comes today?")
    assert (revocation.kind, revocation.target_id) == ("revoke", question_id)


async def test_an_admin_deletes_what_another_wrote(three: Three, group: Jid) -> None:
    """The deletion says whose message it is."""
    anna, ben, cleo = three
    message_id = await ben.send_text(group, "buy this")
    await anna.revoke(await anna.next_message())

    await cleo.next_message()
    revocation = await cleo.next_message()
    key = revocation.content["protocolMessage"]["key"]
    assert (revocation.kind, revocation.target_id) == ("revoke", message_id)
    assert (key["participant"], key["fromMe"]) == (str(ben.jid), False)


async def test_a_poll_and_its_votes(three: Three, group: Jid) -> None:
    """Also of somebody else's poll."""
    anna, ben, cleo = three
    await anna.send_poll(group, "when?", ["now", "later"])
    poll = await ben.next_message()
    await cleo.next_message()

    await ben.vote(poll, ["later"])

    for phone in (anna, cleo):
        assert phone.chosen_in(await phone.next_message()) == ("later",)


async def test_what_adds_to_an_announcement(three: Three) -> None:
    """Reactions and comments of members are encrypted with the announcement's secret."""
    anna, ben, cleo = three
    community = anna.groups.create_community("Club", [ben.number, cleo.number])
    group = anna.groups.announcements_of(community.jid).jid
    anna.give_secrets()
    announced = await anna.send_text(group, "We open at nine")
    about = await ben.next_message()
    await cleo.next_message()

    for emoji in ("+", ""):
        await ben.react(announced, emoji)
        reaction = await cleo.next_message()
        part = Message.FromString(reaction.raw).encReactionMessage
        assert (reaction.kind, reaction.target_id, part.targetMessageKey.ID) == (
            "reaction",
            announced,
            announced,
        )
        plain = unseal(part, about, sender=ben.jid, purpose=Purpose.REACTION)
        assert type(Message().reactionMessage).FromString(plain).text == emoji
    await ben.comment(announced, "And close?")
    comment = await cleo.next_message()
    sealed = Message.FromString(comment.raw).encCommentMessage
    plain = unseal(sealed, about, sender=ben.jid, purpose=Purpose.COMMENT)
    assert (comment.kind, comment.target_id) == ("comment", announced)
    assert Message.FromString(plain).conversation == "And close?"
    with pytest.raises(NotDeliveredError):
        await ben.send_text(group, "me?")
    anna.give_secrets(on=False)
    without = await anna.send_text(group, "We close at six")
    await ben.next_message()
    with pytest.raises(InvalidContentError):
        await ben.react(without, "+")


async def test_newer_apps_encrypt_their_edits(three: Three, group: Jid) -> None:
    """Of what has a secret; older ones write them in the open."""
    anna, ben, _ = three
    for newer, field in ((True, "secretEncryptedMessage"), (False, "editedMessage")):
        anna.give_secrets(on=newer)
        message_id = await anna.send_text(group, "first")
        about = await ben.next_message()

        await anna.edit(message_id, "second")

        edit = await ben.next_message()
        assert (edit.kind, edit.target_id) == ("edit", message_id)
        assert field in edit.content
        if newer:
            part = Message.FromString(edit.raw).secretEncryptedMessage
            plain = unseal(part, about, sender=anna.jid, purpose=Purpose.EDIT)
            change = Message.FromString(plain).protocolMessage
            assert (change.key.ID, change.editedMessage.conversation) == (message_id, "second")


async def test_an_appointment_and_the_answers(three: Three, group: Jid) -> None:
    """Encrypted like a vote; its writer may change it."""
    anna, ben, cleo = three
    anna.give_secrets()
    event = {"name": "Sale", "startTime": "1900000000"}
    message_id = await anna.send_content(group, {"eventMessage": event})
    about = await ben.next_message()
    await cleo.next_message()

    await ben.answer_event(message_id, "GOING", extra_guests=2)

    answer = await cleo.next_message()
    part = Message.FromString(answer.raw).encEventResponseMessage
    plain = unseal(part, about, sender=ben.jid, purpose=Purpose.RESPONSE)
    told = EventResponseMessage.FromString(plain)
    assert (answer.kind, answer.target_id) == ("event_response", message_id)
    assert (told.response, told.extraGuestCount) == (EventResponseMessage.GOING, 2)
    await anna.edit_event(message_id, {**event, "isCanceled": True})
    sealed = Message.FromString((await cleo.next_message()).raw).secretEncryptedMessage
    plain = unseal(sealed, about, sender=anna.jid, purpose=Purpose.EVENT_EDIT)
    assert Message.FromString(plain).protocolMessage.editedMessage.eventMessage.isCanceled
    text = await anna.send_text(group, "no appointment")
    await ben.next_message()
    with pytest.raises(InvalidContentError):
        await ben.answer_event(message_id, "PERHAPS")
    with pytest.raises(InvalidContentError):
        await anna.answer_event(text, "GOING")


async def test_a_picture_in_a_group(three: Three, group: Jid) -> None:
    """One upload for all."""
    anna, *others = three

    await anna.send_media(group, MediaDraft(kind=MediaKind.IMAGE, data=b"jpeg", caption="us"))

    for phone in others:
        message = await phone.next_message()
        assert (message.kind, message.text) == ("image", "us")
        assert await phone.media_bytes(message) == b"jpeg"


async def test_what_is_for_phones_alone(three: Three, group: Jid) -> None:
    """Is read there; the key that all have stays the same."""
    anna, ben, _ = three
    await anna.send_text(group, "first")
    key = anna._sender_keys.distribution(str(group))[:6]

    picture = MediaDraft(kind=MediaKind.IMAGE, data=b"jpeg", view_once=True, phone_only=True)
    await anna.send_media(group, picture)

    assert [(await ben.next_message()).kind for _ in range(2)] == ["text", "image"]
    assert anna._sender_keys.distribution(str(group))[:6] == key


async def test_messages_disappear_as_the_group_has_it(three: Three) -> None:
    """Each says so, unless it is of a kind that cannot."""
    anna, ben, _ = three
    group = anna.groups.create("Secret", [ben.number], ephemeral_seconds=86400).jid
    await anna.send_text(group, "psst")
    message = await ben.next_message()
    await ben.react(message, "\N{THUMBS UP SIGN}")

    assert message.text == "psst"
    context = message.content["extendedTextMessage"]["contextInfo"]
    assert context["expiration"] == 86400
    assert (await anna.next_message()).kind == "reaction"
    anna.groups.set_timer(group, 0)
    await anna.send_text(group, "loud")
    assert (await ben.next_message()).content == {"conversation": "loud"}


async def test_bytes_that_are_no_content(three: Three, group: Jid) -> None:
    """They are asked for again, in vain; what follows is read."""
    anna, ben, _ = three
    await anna.send_raw(group, b"\xff")
    await anna.send_text(group, "text")

    assert (await ben.next_message()).text == "text"


async def test_reading_is_confirmed_to_each_writer(three: Three, group: Jid) -> None:
    """Messages of several people of one chat, in one go."""
    anna, ben, cleo = three
    first = await anna.send_text(group, "one")
    second = await ben.send_text(group, "two")
    await cleo.read(*[await cleo.next_message() for _ in range(2)])

    for phone, message_id in ((anna, first), (ben, second)):
        seen = await phone.wait_for_receipt(message_id, ReceiptKind.READ, timeout=1)
        assert (seen.sender, seen.message_ids) == (cleo.jid, (message_id,))


async def test_who_is_put_out_reads_and_writes_no_more(three: Three, group: Jid) -> None:
    """The others get a new key; the one who has gone is refused."""
    anna, ben, cleo = three
    await anna.send_text(group, "before")
    await cleo.next_message()
    old_key = anna._sender_keys.distribution(str(group))

    anna.groups.remove(group, [cleo.jid])
    await anna.send_text(group, "after")

    assert [(await ben.next_message()).text for _ in range(2)] == ["before", "after"]
    assert len(cleo.inbox) == 1
    assert anna._sender_keys.distribution(str(group))[:6] != old_key[:6]
    with pytest.raises(NotDeliveredError, match="403"):
        await cleo.send_text(group, "let me in")
    with pytest.raises(GroupRefusedError):
        cleo.groups.get(group)


async def test_who_comes_later_reads_what_comes_then(three: Three) -> None:
    """With the key as it is then."""
    anna, ben, cleo = three
    group = anna.groups.create("Two", [ben.number]).jid
    await anna.send_text(group, "early")
    anna.groups.add(group, [cleo.number])

    await anna.send_text(group, "late")

    assert (await cleo.next_message()).text == "late"
    assert [(await ben.next_message()).text for _ in range(2)] == ["early", "late"]


async def test_only_admins_write_where_that_was_decided(three: Three, group: Jid) -> None:
    """Who is made one can, who is none any more cannot."""
    anna, ben, _ = three
    anna.groups.let_admins_write(group, only=True)
    with pytest.raises(NotDeliveredError):
        await ben.send_text(group, "me?")

    anna.groups.promote(group, [ben.number])
    await ben.send_text(group, "me!")
    anna.groups.demote(group, [ben.number])
    with pytest.raises(NotDeliveredError):
        await ben.send_text(group, "me?")

    assert (await anna.next_message()).text == "me!"


@pytest.mark.parametrize("lost", ["session", "key", "both"])
async def test_who_cannot_read_asks_again(three: Three, group: Jid, lost: str) -> None:
    """And gets the message alone, with the key for those that follow."""
    anna, ben, cleo = three
    for phone in three:
        await phone.send_text(group, "first")
    for phone in three:
        assert len([await phone.next_message() for _ in range(2)]) == 2
    if lost != "key":
        ben._book.forget(peer_of(anna.jid))
    if lost != "session":
        ben._sender_keys.forget(str(group), peer_of(anna.jid))

    message_id = await anna.send_text(group, "again")
    await anna.send_text(group, "next")

    messages = {one.text: one for one in [await ben.next_message() for _ in range(2)]}
    again = messages["again"]
    assert (again.message_id, again.chat, again.sender) == (message_id, group, anna.jid)
    assert again.asked_again == (0 if lost == "session" else 1)
    assert [(await cleo.next_message()).text for _ in range(2)] == ["again", "next"]
    await anna.wait_for_receipt(message_id, ReceiptKind.DELIVERED, timeout=1)


async def test_what_is_damaged_on_the_way_is_asked_for_again(
    service: Service, three: Three, group: Jid
) -> None:
    """The signature tells that it was changed."""
    anna, ben, _ = three
    who = Who(number=ben.number, device=0)
    await anna.send_text(group, "first")
    await ben.next_message()
    service.faults.add(Rule(id="x", point=Point.DELIVERY, who=who, effect=Corrupt(), times=1))

    await anna.send_text(group, "second")

    message = await ben.next_message()
    assert (message.text, message.asked_again) == ("second", 1)


async def test_groups_that_there_are_not(three: Three) -> None:
    """Nobody can write there."""
    anna, *_ = three

    with pytest.raises(UnknownRecipientError):
        await anna.send_text("1203630@g.us", "hello?")
    with pytest.raises(GroupRefusedError, match="404"):
        anna.groups.rename("1203630@g.us", "New")


async def test_a_status_is_for_those_who_are_known(three: Three) -> None:
    """With whom messages were exchanged; they can confirm it to its writer."""
    anna, ben, cleo = three
    await anna.send_text(ben.number, "hello")
    await ben.next_message()

    message_id = await anna.send_text(STATUS, "at sea")

    message = await ben.next_message()
    assert (message.chat, message.sender, message.text) == (STATUS, anna.jid, "at sea")
    await ben.read(message)
    await anna.wait_for_receipt(message_id, ReceiptKind.READ, timeout=1)
    assert len(cleo.inbox) == 0


async def test_a_status_is_for_those_who_were_chosen(three: Three) -> None:
    """And for nobody else, from the next one on."""
    anna, ben, cleo = three
    await anna.send_text(ben.number, "hello")
    await ben.next_message()
    await anna.send_text(STATUS, "for Ben")
    await ben.next_message()

    anna.show_status_to([cleo.number])
    await anna.send_text("status@broadcast", "for Cleo")
    await anna.send_text(STATUS, "for Cleo, too")

    texts: list[ChatMessage] = [await cleo.next_message() for _ in range(2)]
    assert [one.text for one in texts] == ["for Cleo", "for Cleo, too"]
    assert len(ben.inbox) == 2


async def test_what_a_member_wrote_is_repeated_when_it_may_write_no_more(
    three: Three, group: Jid
) -> None:
    """It was let through when it was written."""
    anna, ben, _ = three
    await ben.send_text(group, "first")
    await anna.next_message()
    anna._sender_keys.forget(str(group), peer_of(ben.jid))
    message_id = await ben.send_text(group, "second")

    anna.groups.let_admins_write(group, only=True)

    message = await anna.next_message()
    assert (message.message_id, message.text, message.asked_again) == (message_id, "second", 1)
