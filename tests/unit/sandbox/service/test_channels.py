"""What the service does with what is posted in channels."""

from __future__ import annotations

from gateway_worker.sandbox.wire.jid import Jid
from gateway_worker.sandbox.wire.node import Attrs, Node
from tests.unit.sandbox.service.conftest import ANN, BOB, EVE, Fixture

TEXT = Node("plaintext", {}, b"content")


def post(to: Jid, post_id: str = "P1", **attrs: str) -> Node:
    """A post as clients write it."""
    head: Attrs = {"id": post_id, "type": "text", "to": to, **attrs}
    return Node("message", head, (TEXT,))


def channel_of(world: Fixture) -> Jid:
    """Ann's channel, which Bob follows."""
    return world.service.channels.create(world.lid(ANN), followers=[world.lid(BOB)]).jid


async def test_a_post_reaches_all_who_follow(world: Fixture) -> None:
    """And the owner's other devices; all under the number that the sender is told."""
    sender, reader = world.companion(ANN), world.companion(BOB)
    channel = channel_of(world)

    ack = await world.service.relay.submit(sender.jid, post(channel))

    assert ack is not None
    number = ack.get("server_id")
    assert number
    for device in (world.phones[ANN], world.phones[BOB], reader):
        (got,) = device.got
        assert (got.jid("from"), got.get("id"), got.get("server_id")) == (channel, "P1", number)
        assert got.children == (TEXT,)
    assert sender.got == world.phones[EVE].got == []


async def test_a_change_keeps_number_and_id(world: Fixture) -> None:
    """It says that it is one."""
    channel, ann = channel_of(world), world.lid(ANN)
    first = await world.service.relay.submit(ann, post(channel))
    second = await world.service.relay.submit(ann, post(channel, edit="3"))

    assert first is not None
    assert second is not None
    assert first.get("server_id") == second.get("server_id")
    assert [node.get("edit") for node in world.phones[BOB].got] == ["", "3"]


async def test_a_repeat_reaches_nobody(world: Fixture) -> None:
    """The sender is told the same number again."""
    channel, ann = channel_of(world), world.lid(ANN)
    first = await world.service.relay.submit(ann, post(channel))
    second = await world.service.relay.submit(ann, post(channel))

    assert first is not None
    assert second is not None
    assert first.get("server_id") == second.get("server_id")
    assert world.phones[BOB].tags() == ["message"]


async def test_what_is_refused(world: Fixture) -> None:
    """A post of somebody else, and a change of what was never posted."""
    channel = channel_of(world)
    strange = await world.service.relay.submit(world.lid(BOB), post(channel))
    unknown = await world.service.relay.submit(world.lid(ANN), post(channel, edit="8"))

    assert strange is not None
    assert strange.get("error") == "401"
    assert unknown is not None
    assert unknown.get("error") == "404"
    assert world.phones[BOB].got == []


def reaction(to: Jid, server_id: str, emoji: str) -> Node:
    """A reaction as clients write it; an empty one takes it back."""
    head: Attrs = {"id": "R1", "type": "reaction", "to": to, "server_id": server_id}
    if not emoji:
        return Node("message", {**head, "edit": "7"}, (Node("reaction"),))
    return Node("message", head, (Node("reaction", {"code": emoji}),))


async def test_reactions(world: Fixture) -> None:
    """Of who follows, to what was posted; the last one counts."""
    channel, relay = channel_of(world), world.service.relay
    sent = await relay.submit(world.lid(ANN), post(channel))
    assert sent is not None
    number = sent.get("server_id")
    kept = world.service.channels.find(channel)
    assert kept is not None

    for emoji, expected in (("👍", "👍"), ("🎉", "🎉"), ("", None)):
        await relay.submit(world.lid(BOB), reaction(channel, number, emoji))
        assert kept.reactions.get((int(number), world.lid(BOB))) == expected
    stranger = await relay.submit(world.lid(EVE), reaction(channel, number, "👍"))
    unknown = await relay.submit(world.lid(BOB), reaction(channel, "7", "👍"))
    assert stranger is not None
    assert unknown is not None
    assert (stranger.get("error"), unknown.get("error")) == ("401", "404")
    assert world.phones[BOB].tags() == ["message"]


async def test_what_was_read_is_kept(world: Fixture) -> None:
    """All of a receipt, for the account's own devices only."""
    channel = channel_of(world)
    items = Node("list", {}, (Node("item", {"id": "P2"}),))
    for kind in ("read-self", "other"):
        attrs: Attrs = {"id": "P1" if kind == "read-self" else "P3", "to": channel, "type": kind}
        await world.service.relay.submit(world.lid(BOB), Node("receipt", attrs, (items,)))

    kept = world.service.channels.find(channel)
    assert kept is not None
    assert kept.read == {world.lid(BOB): {"P1", "P2"}}
