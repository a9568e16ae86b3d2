"""What the service does to stanzas for groups and for status."""

from __future__ import annotations

import base64
import hashlib

import pytest

from gateway_worker.sandbox.service.groups.group import Group
from gateway_worker.sandbox.service.routes.device_hash import device_hash
from gateway_worker.sandbox.wire.jid import STATUS, Jid, lid, pn
from gateway_worker.sandbox.wire.node import Attrs, Node
from tests.unit.sandbox.service.conftest import ANN, BOB, EVE, Fixture

KEY = Node("enc", {"v": "2", "type": "pkmsg"}, b"key")
SEALED = Node("enc", {"v": "2", "type": "skmsg"}, b"sealed")
IDENTITY = Node("device-identity", {}, b"identity")


@pytest.fixture
def group(world: Fixture) -> Group:
    """Return a group of Ann and Bob, of which nobody is told any more."""
    owner = world.service.accounts.get(ANN)
    return world.service.groups.create(owner, "Club", [BOB])[0]


def message(to: Jid, *keys: Jid, message_id: str = "M1", **attrs: str) -> Node:
    """Build a message with the key for some devices, as clients write it."""
    participants = tuple(Node("to", {"jid": jid}, (KEY,)) for jid in keys)
    head: Attrs = {"id": message_id, "type": "text", "to": to, "addressing_mode": "lid", **attrs}
    content = (Node("participants", {}, participants), SEALED, IDENTITY, Node("meta"))
    return Node("message", head, content)


def messages(got: list[Node]) -> list[Node]:
    """Return the messages among stanzas."""
    return [node for node in got if node.tag == "message"]


async def test_a_message_goes_to_all_devices_of_all_members(world: Fixture, group: Group) -> None:
    """From the group, with the writing device; a key only for whom there is one."""
    sender, twin, companion = (world.companion(one) for one in (ANN, ANN, BOB))
    eve = world.companion(EVE)

    ack = await world.service.relay.submit(sender.jid, message(group.jid, companion.jid))

    assert ack is not None
    assert (ack.get("class"), ack.jid("from")) == ("message", group.jid)
    assert not {"error", "phash"} & ack.attrs.keys()
    (at_companion,), (at_phone,) = messages(companion.got), world.phones[BOB].got
    assert [part.tag for part in at_companion.children] == ["enc", "enc", "meta", IDENTITY.tag]
    assert at_companion.children[:2] == (KEY, SEALED)
    assert [part.tag for part in at_phone.children] == ["enc", "meta"]
    assert (
        at_companion.attrs.items()
        >= {
            "from": group.jid,
            "participant": sender.jid,
            "participant_pn": pn("111", 1),
            "addressing_mode": "lid",
            "notify": "name 111",
            "type": "text",
        }.items()
    )
    assert len(messages(twin.got)) == len(world.phones[ANN].got) == 1
    assert messages(sender.got) == messages(eve.got) == world.phones[EVE].got == []


async def test_a_number_that_is_hidden(world: Fixture, group: Group) -> None:
    """Members know who writes by the LID alone."""
    world.service.accounts.get(ANN).hides_number = True

    await world.service.relay.submit(world.lid(ANN), message(group.jid))

    (got,) = world.phones[BOB].got
    assert "participant_pn" not in got.attrs


async def test_a_repeat_is_acked_and_reaches_nobody(world: Fixture, group: Group) -> None:
    """The same id in the same group from the same device is the same message."""
    for _ in range(2):
        ack = await world.service.relay.submit(world.lid(ANN), message(group.jid))
        assert ack is not None
        assert "error" not in ack.attrs

    assert len(world.phones[BOB].got) == 1


@pytest.mark.parametrize(
    ("writer", "code"), [(EVE, "403"), (BOB, "403")], ids=["stranger", "no admin"]
)
async def test_who_may_not_write(world: Fixture, group: Group, writer: Jid, code: str) -> None:
    """The ack says so, and nobody gets anything."""
    group.admins_write = True

    ack = await world.service.relay.submit(world.lid(writer), message(group.jid))

    assert ack is not None
    assert ack.get("error") == code
    assert all(phone.got == [] for phone in world.phones.values())


async def test_what_adds_to_an_announcement(world: Fixture, group: Group) -> None:
    """All members react where only admins write, and comment on what a community announces."""
    group.admins_write = True
    reaction = Node("message", {"id": "M1", "type": "reaction", "to": group.jid}, (SEALED,))
    thread = Node("meta", {"thread_msg_id": "M0"})
    comment = Node("message", {"id": "M2", "type": "text", "to": group.jid}, (SEALED, thread))

    async def refused(writer: Jid, node: Node) -> str | Jid | None:
        ack = await world.service.relay.submit(world.lid(writer), node)
        assert ack is not None
        return ack.attrs.get("error")

    assert await refused(BOB, reaction) is None
    assert await refused(EVE, reaction) == "403"
    assert await refused(BOB, comment) == "403"
    group.is_announcements = True
    assert await refused(BOB, comment) is None
    assert await refused(EVE, comment) == "403"
    assert [node.get("id") for node in messages(world.phones[ANN].got)] == ["M1", "M2"]


async def test_a_stale_list_of_devices_shows_in_the_ack(world: Fixture, group: Group) -> None:
    """By the true hash, of the sender's devices too; nothing is said of one that is right."""
    sender, companion = world.companion(ANN), world.companion(BOB)
    devices = [world.lid(ANN), sender.jid, world.lid(BOB), companion.jid]
    true = device_hash(devices)
    right = message(group.jid, phash=true)
    wrong = message(group.jid, message_id="M2", phash=device_hash(devices[:3]))

    acks = [await world.service.relay.submit(sender.jid, one) for one in (right, wrong)]

    assert [ack.get("phash") for ack in acks if ack is not None] == ["", true]


def test_the_hash_of_devices() -> None:
    """Of their addresses with agent and device, sorted; as the client library has it."""
    plain = b"1.0:0@lid" + b"2.0:7@lid"
    expected = base64.b64encode(hashlib.sha256(plain).digest()[:6]).decode()

    assert device_hash([lid("2", 7), lid("1"), lid("1")]) == f"2:{expected}"


async def test_devices_that_are_given_a_placeholder(world: Fixture, group: Group) -> None:
    """They get nothing that can be read."""
    companion = world.companion(BOB)
    hidden = Node("unavailable", {"type": "view_once"})
    stanza = message(group.jid)
    participants = Node("participants", {}, (Node("to", {"jid": companion.jid}, (hidden,)),))
    stanza = Node(stanza.tag, stanza.attrs, (participants, *stanza.children[1:]))

    await world.service.relay.submit(world.lid(ANN), stanza)

    (at_companion,) = messages(companion.got)
    assert at_companion.children == (hidden, Node("meta"))
    assert SEALED in world.phones[BOB].got[0].children


async def test_receipts_go_to_the_writer(world: Fixture, group: Group) -> None:
    """To the device that is named, or to all of the account; from the group."""
    sender = world.companion(ANN)
    attrs: Attrs = {"id": "M1", "to": group.jid, "participant": sender.jid}
    ack = await world.service.relay.submit(world.lid(BOB), Node("receipt", attrs))

    assert ack is not None
    assert (ack.get("class"), ack.jid("from")) == ("receipt", group.jid)
    (got,) = [node for node in sender.got if node.tag == "receipt"]
    assert (got.jid("from"), got.jid("participant"), got.get("id")) == (
        group.jid,
        world.lid(BOB),
        "M1",
    )
    assert world.phones[ANN].got == []

    read: Attrs = {**attrs, "participant": world.lid(ANN), "type": "read"}
    await world.service.relay.submit(world.lid(BOB), Node("receipt", read))
    assert world.phones[ANN].tags() == ["receipt"]
    assert sender.got[-1].get("type") == "read"


async def test_receipts_of_several_wait_as_one(world: Fixture, group: Group) -> None:
    """By message, with who and when; the ack for it confirms them all."""
    sender = world.companion(ANN, online=False)
    mailbox = world.record(sender.jid).mailbox
    ids = Node("list", {}, (Node("item", {"id": "M2"}),))
    for reader in (BOB, EVE, BOB):
        attrs: Attrs = {"id": "M1", "to": group.jid, "participant": sender.jid, "type": "read"}
        await world.service.relay.submit(world.lid(reader), Node("receipt", attrs, (ids,)))

    receipts = [node for node in mailbox.waiting() if node.tag == "receipt"]
    assert [one.get("id") for one in receipts] == ["M1", "M2"]
    for receipt in receipts:
        assert "participant" not in receipt.attrs
        (people,) = receipt.children
        assert people.get("key") == receipt.get("id")
        assert [one.jid("jid") for one in people.all("user")] == [world.lid(EVE), world.lid(BOB)]
        assert all(one.get("t").isdigit() for one in people.children)

    mailbox.open(sender)
    for receipt in receipts:
        ack: Attrs = {"class": "receipt", "to": group.jid, "type": "read", "id": receipt.get("id")}
        await world.service.relay.submit(sender.jid, Node("ack", ack))
    assert [node for node in mailbox.waiting() if node.tag == "receipt"] == []


async def test_each_confirms_for_itself(world: Fixture, group: Group) -> None:
    """The ack for one member's receipt leaves that of another one waiting."""
    sender = world.companion(ANN)
    attrs: Attrs = {"id": "M1", "to": group.jid, "participant": sender.jid}
    for reader in (BOB, EVE):
        await world.service.relay.submit(world.lid(reader), Node("receipt", dict(attrs)))
    ack: Attrs = {"class": "receipt", "to": group.jid, "id": "M1", "participant": world.lid(BOB)}

    await world.service.relay.submit(sender.jid, Node("ack", ack))

    waiting = world.record(sender.jid).mailbox.waiting()
    assert [one.jid("participant") for one in waiting if one.tag == "receipt"] == [world.lid(EVE)]


async def test_a_message_is_confirmed_by_its_receipt(world: Fixture, group: Group) -> None:
    """The receipt is for the group, and the message waits no more."""
    companion = world.companion(BOB)
    await world.service.relay.submit(world.lid(ANN), message(group.jid))
    mailbox = world.record(companion.jid).mailbox
    assert len(messages(list(mailbox.waiting()))) == 1

    attrs: Attrs = {"id": "M1", "to": group.jid, "participant": world.lid(ANN)}
    await world.service.relay.submit(companion.jid, Node("receipt", attrs))

    assert messages(list(mailbox.waiting())) == []


async def test_who_asks_for_a_message_again(world: Fixture, group: Group) -> None:
    """Asks the writing device alone, and gets the answer alone."""
    sender, companion = world.companion(ANN), world.companion(BOB)
    await world.service.relay.submit(sender.jid, message(group.jid))
    asked: Attrs = {"id": "M1", "to": group.jid, "participant": sender.jid, "type": "retry"}
    await world.service.relay.submit(companion.jid, Node("receipt", asked))

    retry = sender.got[-1]
    assert (retry.jid("from"), retry.jid("participant")) == (group.jid, companion.jid)
    again: Attrs = {"id": "M1", "to": group.jid, "participant": companion.jid, "type": "text"}
    answer = Node("message", again, (KEY, IDENTITY))
    await world.service.relay.submit(sender.jid, answer)

    first, second = messages(companion.got)
    assert (second.jid("from"), second.jid("participant")) == (group.jid, sender.jid)
    assert second.children == (KEY, IDENTITY)
    assert first.children != second.children
    assert len(world.phones[BOB].got) == 1


async def test_a_stranger_gets_no_answer(world: Fixture, group: Group) -> None:
    """Also not when a member sends one."""
    again: Attrs = {"id": "M1", "to": group.jid, "participant": world.lid(EVE)}

    await world.service.relay.submit(world.lid(ANN), Node("message", again, (KEY,)))

    assert world.phones[EVE].got == []


async def test_members_see_who_writes(world: Fixture, group: Group) -> None:
    """Those who are online, but not the writer's own devices; strangers show nothing."""
    companion, twin = world.companion(BOB), world.companion(ANN)
    typing = Node("chatstate", {"to": group.jid}, (Node("composing"),))

    await world.service.relay.submit(world.lid(ANN), typing)
    await world.service.relay.submit(world.lid(EVE), typing)

    (got,) = [node for node in companion.got if node.tag == "chatstate"]
    assert (got.jid("from"), got.jid("participant")) == (group.jid, world.lid(ANN))
    assert got.children == (Node("composing"),)
    assert "chatstate" not in twin.tags()


async def test_a_status_goes_to_whom_it_names(world: Fixture) -> None:
    """By number or by LID, the own devices too; who has blocked the sender sees nothing."""
    sender, twin = world.companion(ANN), world.companion(ANN)
    world.service.accounts.get(EVE).blocked.add(world.lid(ANN))
    named = (BOB, twin.jid, world.lid(EVE), pn("999"))

    ack = await world.service.relay.submit(sender.jid, message(STATUS, *named))

    assert ack is not None
    assert "error" not in ack.attrs
    (got,) = world.phones[BOB].got
    assert (got.jid("from"), got.jid("participant")) == (STATUS, sender.jid)
    assert got.children[:2] == (KEY, SEALED)
    assert len(messages(twin.got)) == 1
    assert world.phones[EVE].got == world.phones[ANN].got == []


async def test_a_status_is_confirmed_and_repeated(world: Fixture) -> None:
    """As a message of a group is."""
    read: Attrs = {"id": "M1", "to": STATUS, "participant": world.lid(ANN), "type": "read"}
    await world.service.relay.submit(world.lid(BOB), Node("receipt", read))
    (got,) = world.phones[ANN].got
    assert (got.jid("from"), got.jid("participant")) == (STATUS, world.lid(BOB))

    again: Attrs = {"id": "M1", "to": STATUS, "participant": world.lid(BOB)}
    await world.service.relay.submit(world.lid(ANN), Node("message", again, (KEY,)))
    assert world.phones[BOB].got[0].children == (KEY,)
