"""What the service itself sends to a device."""

from __future__ import annotations

import pytest

from gateway_worker.sandbox.service.errors import UnknownAccountError
from gateway_worker.sandbox.wire.jid import SERVER
from gateway_worker.sandbox.wire.node import Attrs, Node
from tests.unit.sandbox.service.conftest import ANN, BOB, Fixture


@pytest.mark.parametrize("tag", ["notification", "message", "receipt", "call"])
async def test_what_is_confirmed_waits_for_the_device(world: Fixture, tag: str) -> None:
    """It comes at the next login, and again until the companion has acked it."""
    companion = world.companion(ANN, online=False)
    assert world.service.connections.push(ANN.user, Node(tag, {"type": "mex"}, (Node("update"),)))

    mailbox = world.record(companion.jid).mailbox
    mailbox.open(companion)

    (got,) = companion.got
    assert (got.tag, got.get("type"), got.children) == (tag, "mex", (Node("update"),))
    assert got.jid("from") == SERVER
    assert got.get("id")
    assert got.get("t").isdigit()
    ack: Attrs = {"class": tag, "id": got.get("id"), "to": SERVER, "type": got.get("type")}
    await world.service.relay.submit(companion.jid, Node("ack", ack))
    assert len(mailbox) == 0


def test_what_is_said_stays_as_it_is(world: Fixture) -> None:
    """Sender, id and time of the stanza come before those of the service."""
    companion = world.companion(ANN)
    attrs: Attrs = {"from": world.lid(BOB), "id": "N1", "t": "5"}

    world.service.connections.push(ANN.user, Node("notification", attrs))

    assert [node.attrs for node in companion.got] == [attrs]


def test_the_rest_is_for_who_is_there(world: Fixture) -> None:
    """As presence and hints are: as they stand, and never kept."""
    here, away = world.companion(ANN), world.companion(ANN, online=False)
    hint = Node("ib", {}, (Node("dirty", {"type": "groups"}),))

    assert world.service.connections.push(ANN.user, hint) == 1
    assert world.service.connections.push(ANN.user, hint, device=away.jid.device) == 0

    assert here.got == [hint]
    assert len(world.record(away.jid).mailbox) == 0


def test_a_phone_can_be_told_too_and_a_stranger_cannot(world: Fixture) -> None:
    """Device 0 of an account, and an address that nobody has."""
    assert world.service.connections.push(ANN.user, Node("notification", {"id": "N1"}), device=0)
    assert [node.get("id") for node in world.phones[ANN].got] == ["N1"]
    for number, device in (("999", None), (ANN.user, 9)):
        with pytest.raises(UnknownAccountError):
            world.service.connections.push(number, Node("notification"), device=device)
