"""What the service does to stanzas between devices."""

from __future__ import annotations

import pytest

from gateway_worker.sandbox.service.errors import UnknownAccountError
from gateway_worker.sandbox.service.faults import Faults
from gateway_worker.sandbox.wire.errors import WireError
from gateway_worker.sandbox.wire.jid import Jid, pn
from gateway_worker.sandbox.wire.node import Attrs, Node
from tests.unit.sandbox.service.conftest import ANN, BOB, EVE, Fixture

ENC = Node("enc", {"v": "2", "type": "msg"}, b"sealed")
PKMSG = Node("enc", {"v": "2", "type": "pkmsg"}, b"sealed")
IDENTITY = Node("device-identity", {}, b"identity")


def message(to: Jid, copies: dict[Jid, Node], *, message_id: str = "M1", **attrs: str) -> Node:
    """A fan-out as clients write it."""
    participants = tuple(Node("to", {"jid": jid}, (enc,)) for jid, enc in copies.items())
    head: Attrs = {"id": message_id, "type": "text", "to": to, **attrs}
    return Node("message", head, (Node("participants", {}, participants), IDENTITY))


async def test_a_fan_out_becomes_one_stanza_per_device(world: Fixture) -> None:
    """Each device gets its own ciphertext; own devices learn who it went to."""
    sender = world.companion(ANN)
    twin = world.companion(ANN)
    companion = world.companion(BOB)
    to = world.lid(BOB)
    copies = {to: ENC, companion.jid: PKMSG, world.lid(ANN): ENC, twin.jid: PKMSG}
    ack = await world.service.relay.submit(sender.jid, message(to, copies))

    assert ack is not None
    assert (ack.tag, ack.get("class"), ack.get("id"), ack.jid("from")) == (
        "ack",
        "message",
        "M1",
        to,
    )
    assert "error" not in ack.attrs
    assert "phash" not in ack.attrs
    (at_phone,) = world.phones[BOB].got
    (at_companion,) = companion.got
    (at_twin,) = twin.got
    assert at_phone.content == (ENC,)
    assert at_companion.content == (PKMSG, IDENTITY)
    assert (
        at_companion.attrs.items()
        >= {
            "from": sender.jid,
            "id": "M1",
            "type": "text",
            "notify": "name 111",
            "sender_pn": pn("111", 1),
            "addressing_mode": "lid",
        }.items()
    )
    assert "recipient" not in at_companion.attrs
    assert "sender_pn" not in at_twin.attrs
    assert (at_twin.jid("recipient"), at_twin.jid("peer_recipient_pn")) == (to, BOB)
    assert sender.got == []


async def test_what_a_client_adds_to_a_message_comes_through(world: Fixture) -> None:
    """Whatever it is, but for what is between it and the service."""
    to = world.lid(BOB)
    stanza = message(to, {to: ENC}, phash="2:x", peer_recipient_pn="1", t="1", new="yes")
    extra = tuple(map(Node, ("meta", "new", "bot", "tctoken", "reporting")))
    stanza = Node(stanza.tag, stanza.attrs, stanza.children + extra)

    await world.service.relay.submit(world.lid(ANN), stanza)

    (got,) = world.phones[BOB].got
    assert [child.tag for child in got.children] == ["enc", "meta", "new"]
    assert got.get("new") == "yes"
    assert got.get("t") != "1"
    assert not {"to", "phash", "peer_recipient_pn"} & got.attrs.keys()


@pytest.mark.parametrize("server", ["g.us", "newsletter", "broadcast"])
async def test_an_address_of_a_kind_without_a_route(world: Fixture, server: str) -> None:
    """A message is acked with an error, a receipt as usual; typing is lost."""
    to = Jid("222", server)
    ack = await world.service.relay.submit(world.lid(ANN), message(to, {to: ENC}))
    receipt = await world.service.relay.submit(
        world.lid(ANN), Node("receipt", {"id": "1", "to": to})
    )
    typing = Node("chatstate", {"to": to}, (Node("composing"),))

    assert ack is not None
    assert ack.get("error") == "404"
    assert receipt is not None
    assert "error" not in receipt.attrs
    assert await world.service.relay.submit(world.lid(ANN), typing) is None
    assert all(phone.got == [] for phone in world.phones.values())


async def test_a_repeat_is_acked_and_reaches_nobody(world: Fixture) -> None:
    """The same id to the same target from the same device is the same message."""
    sender = world.companion(ANN)
    to = world.lid(BOB)
    stanza = message(to, {to: ENC})
    first = await world.service.relay.submit(sender.jid, stanza)
    second = await world.service.relay.submit(sender.jid, stanza)

    assert first is not None
    assert second is not None
    assert world.phones[BOB].tags() == ["message"]
    await world.service.relay.submit(world.lid(ANN), stanza)
    await world.service.relay.submit(sender.jid, message(to, {to: ENC}, message_id="M2"))
    assert world.phones[BOB].tags() == ["message"] * 3


async def test_one_ciphertext_for_one_device(world: Fixture) -> None:
    """An answer to a retry goes straight to the device that asked, even with a known id."""
    sender, companion = world.companion(ANN), world.companion(BOB)
    to = world.lid(BOB)
    await world.service.relay.submit(sender.jid, message(to, {to: ENC, companion.jid: ENC}))
    again = Node(
        "message",
        {"id": "M1", "type": "text", "to": companion.jid, "device_fanout": "false"},
        (PKMSG, IDENTITY),
    )
    await world.service.relay.submit(sender.jid, again)

    assert [node.content for node in companion.got] == [(ENC,), (PKMSG, IDENTITY)]
    assert world.phones[BOB].tags() == ["message"]


async def test_a_stale_device_list_shows_in_the_ack(world: Fixture) -> None:
    """A fan-out that misses a device is told by a hash that differs."""
    sender = world.companion(ANN)
    world.companion(BOB)
    to = world.lid(BOB)
    ack = await world.service.relay.submit(sender.jid, message(to, {to: ENC}))

    assert ack is not None
    assert ack.get("phash").startswith("2:")


async def test_an_unknown_target(world: Fixture) -> None:
    """A message to nobody is acked with an error."""
    ack = await world.service.relay.submit(world.lid(ANN), message(pn("999"), {pn("999"): ENC}))

    assert ack is not None
    assert ack.get("error") == "404"


async def test_ciphertexts_for_strangers_go_nowhere(world: Fixture) -> None:
    """A fan-out reaches the target and the own account, nobody else."""
    to = world.lid(BOB)
    await world.service.relay.submit(world.lid(ANN), message(to, {to: ENC, world.lid(EVE): ENC}))

    assert world.phones[EVE].got == []


async def test_blocked_senders(world: Fixture) -> None:
    """What a blocked account sends is acked and dropped; its own devices still get their copy."""
    twin = world.companion(ANN)
    to = world.lid(BOB)
    world.service.accounts.get(BOB).blocked.add(world.lid(ANN))
    ack = await world.service.relay.submit(world.lid(ANN), message(to, {to: ENC, twin.jid: ENC}))

    assert ack is not None
    assert world.phones[BOB].got == []
    assert twin.tags() == ["message"]


async def test_receipts_go_to_the_device_or_to_the_account(world: Fixture) -> None:
    """With a device in `to` only that one gets it; without, all devices do."""
    companion = world.companion(ANN)
    direct = Node("receipt", {"id": "M1", "to": companion.jid, "type": "inactive"})
    ack = await world.service.relay.submit(world.lid(BOB), direct)

    assert ack is not None
    assert ack.attrs == {
        "class": "receipt",
        "id": "M1",
        "from": companion.jid,
        "type": "inactive",
    }
    (got,) = companion.got
    assert (got.jid("from"), got.get("type"), got.get("id")) == (world.lid(BOB), "inactive", "M1")
    assert world.phones[ANN].got == []

    ids = Node("list", {}, (Node("item", {"id": "M2"}),))
    await world.service.relay.submit(
        world.lid(BOB), Node("receipt", {"id": "M3", "to": world.lid(ANN), "type": "read"}, (ids,))
    )
    assert companion.got[-1].content == (ids,)
    assert world.phones[ANN].tags() == ["receipt"]


async def test_a_retry_goes_to_the_sending_device_only(world: Fixture) -> None:
    """A phone that must repeat is asked alone."""
    companion = world.companion(ANN)
    retry = Node("receipt", {"id": "M1", "to": world.lid(ANN), "type": "retry"})
    await world.service.relay.submit(world.lid(BOB), retry)

    assert world.phones[ANN].tags() == ["receipt"]
    assert companion.got == []


async def test_messages_wait_until_they_are_confirmed(world: Fixture) -> None:
    """A companion gets again what it did not confirm, in order and marked as delayed."""
    companion = world.companion(BOB)
    to = world.lid(BOB)
    for number in range(3):
        stanza = message(to, {companion.jid: ENC}, message_id=f"M{number}")
        await world.service.relay.submit(world.lid(ANN), stanza)
    receipt = Node("receipt", {"id": "M1", "to": world.lid(ANN)})
    await world.service.relay.submit(companion.jid, receipt)

    mailbox = world.record(companion.jid).mailbox
    mailbox.close(companion)
    await world.service.relay.submit(
        world.lid(ANN), message(to, {companion.jid: ENC}, message_id="M3")
    )
    companion.got.clear()
    mailbox.open(companion)
    assert [node.get("id") for node in companion.got] == ["M0", "M2", "M3"]
    assert {node.get("offline") for node in companion.got} == {"0"}
    everything = Node("list", {}, (Node("item", {"id": "M2"}), Node("item", {"id": "M3"})))
    await world.service.relay.submit(
        companion.jid, Node("receipt", {"id": "M0", "to": world.lid(ANN)}, (everything,))
    )
    assert len(mailbox) == 0


async def test_receipts_and_notifications_wait_for_an_ack(world: Fixture) -> None:
    """A receipt is kept until the companion acks that very receipt."""
    companion = world.companion(ANN)
    for kind in ("", "read"):
        attrs: Attrs = {"id": "M1", "to": companion.jid}
        await world.service.relay.submit(
            world.lid(BOB), Node("receipt", attrs | ({"type": kind} if kind else {}))
        )
    mailbox = world.record(companion.jid).mailbox
    assert len(mailbox) == 2
    ack: Attrs = {"class": "receipt", "id": "M1", "to": world.lid(BOB)}
    await world.service.relay.submit(companion.jid, Node("ack", ack | {"type": "read"}))
    assert [node.get("type") for node in mailbox.waiting()] == [""]
    await world.service.relay.submit(companion.jid, Node("ack", ack))
    assert len(mailbox) == 0


async def test_a_phone_that_is_off(world: Fixture) -> None:
    """What comes for a phone that is off waits; taking it is enough to confirm it."""
    world.service.accounts.get(BOB).switch_off()
    to = world.lid(BOB)
    await world.service.relay.submit(world.lid(ANN), message(to, {to: ENC}))
    assert world.phones[BOB].got == []
    world.service.accounts.get(BOB).switch_on(world.phones[BOB])
    assert world.phones[BOB].tags() == ["message"]
    world.service.accounts.get(BOB).switch_off()
    world.service.accounts.get(BOB).switch_on(world.phones[BOB])
    assert world.phones[BOB].tags() == ["message"]


async def test_typing_and_presence_reach_only_who_is_there(world: Fixture) -> None:
    """Neither waits for anybody; presence needs a subscription."""
    online, offline = world.companion(BOB), world.companion(BOB, online=False)
    typing = Node("chatstate", {"to": world.lid(BOB)}, (Node("composing"),))
    assert await world.service.relay.submit(world.lid(ANN), typing) is None
    assert online.got == [
        Node("chatstate", {"from": world.lid(ANN)}, (Node("composing"),)),
    ]
    assert len(world.record(offline.jid).mailbox) == 0

    here, gone = Node("presence", {"type": "available"}), Node("presence", {"type": "unavailable"})
    await world.service.relay.submit(world.lid(ANN), here)
    subscribe = Node("presence", {"type": "subscribe", "to": world.lid(ANN)})
    await world.service.relay.submit(online.jid, subscribe)
    await world.service.relay.submit(world.lid(ANN), here)
    await world.service.relay.submit(world.lid(ANN), gone)
    kinds = [node.get("type") for node in online.got if node.tag == "presence"]
    assert kinds == ["", "unavailable"]


async def test_stanzas_that_cannot_be_routed(world: Fixture) -> None:
    """Strangers and nonsense are errors, not silence."""
    with pytest.raises(UnknownAccountError):
        await world.service.relay.submit(pn("999"), Node("receipt", {"id": "1", "to": BOB}))
    with pytest.raises(WireError, match="iq"):
        await world.service.relay.submit(world.lid(ANN), Node("iq"))
    with pytest.raises(WireError, match="participants"):
        await world.service.relay.submit(world.lid(ANN), Node("message", {"id": "1", "to": BOB}))


async def test_counted_faults_apply_and_end(world: Fixture) -> None:
    """Each fault applies as often as it was told to and then is over."""
    sender = world.companion(ANN)
    to = world.lid(BOB)
    world.service.faults.set(ANN.user, Faults(missing_acks=1, error_acks=1, ack_error=463))
    outcomes = [
        await world.service.relay.submit(sender.jid, message(to, {to: ENC}, message_id=f"M{n}"))
        for n in range(3)
    ]

    assert outcomes[0] is None
    assert outcomes[1] is not None
    assert outcomes[2] is not None
    assert "error" not in outcomes[1].attrs
    assert [node.get("id") for node in world.phones[BOB].got] == ["M1", "M2"]
    assert world.service.faults.get(ANN.user, device=sender.jid.device) == Faults(ack_error=463)


async def test_a_lost_receipt_confirms_nothing(world: Fixture) -> None:
    """The message stays and the sender learns nothing."""
    companion = world.companion(BOB)
    to = world.lid(BOB)
    world.service.faults.set(BOB.user, Faults(lost_receipts=1), device=1)
    await world.service.relay.submit(world.lid(ANN), message(to, {companion.jid: ENC}))
    receipt = Node("receipt", {"id": "M1", "to": world.lid(ANN)})

    assert await world.service.relay.submit(companion.jid, receipt) is None
    assert world.phones[ANN].got == []
    assert len(world.record(companion.jid).mailbox) == 1
    assert await world.service.relay.submit(companion.jid, receipt) is not None
    assert len(world.record(companion.jid).mailbox) == 0


async def test_a_receipt_that_asks_again_is_not_lost_with_the_others(world: Fixture) -> None:
    """The ack beside it confirms the message: without it the message would be gone for good."""
    companion = world.companion(BOB)
    world.service.faults.set(BOB.user, Faults(lost_receipts=1), device=1)
    await world.service.relay.submit(
        world.lid(ANN), message(world.lid(BOB), {companion.jid: ENC}, message_id="M1")
    )
    asking = Node(
        "receipt", {"id": "M1", "to": world.lid(ANN), "type": "retry"}, (Node("retry", {}),)
    )

    assert await world.service.relay.submit(companion.jid, asking) is not None

    assert [node.get("type") for node in world.phones[ANN].got] == ["retry"]
    assert world.service.faults.get(BOB.user, device=1).lost_receipts == 1


async def test_faults_of_an_account_spare_its_phone(world: Fixture) -> None:
    """A phone fails only when it is named."""
    world.service.faults.set(ANN.user, Faults(missing_acks=9))
    to = world.lid(BOB)
    assert await world.service.relay.submit(world.lid(ANN), message(to, {to: ENC})) is not None
    world.service.faults.set(ANN.user, Faults(missing_acks=9), device=0)
    assert await world.service.relay.submit(world.lid(ANN), message(to, {to: ENC})) is None
