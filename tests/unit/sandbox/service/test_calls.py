"""Calls in the sandbox: what companions hear of them, and what becomes of a refusal."""

from __future__ import annotations

import pytest

from gateway_worker.sandbox.service.calls import Call, CallState
from gateway_worker.sandbox.service.errors import UnknownCallError
from gateway_worker.sandbox.wire.jid import Jid
from gateway_worker.sandbox.wire.node import Node
from tests.unit.sandbox.service.conftest import ANN, BOB, EVE, Fixture

GROUP = Jid("120363025550100001", "g.us")


def ring(world: Fixture, *, video: bool = False, group: Jid | None = None) -> Call:
    """Let Ann call Bob."""
    accounts = world.service.accounts
    return world.service.calls.ring(accounts.get(ANN), accounts.get(BOB), video=video, group=group)


def refuse(call: Call, *, to: Jid) -> Node:
    """Return the stanza that refuses a call."""
    content = Node("reject", {"call-id": call.call_id, "call-creator": to, "count": "0"})
    return Node("call", {"id": "C1", "to": to}, (content,))


def test_companions_hear_of_a_call_and_of_its_end(world: Fixture) -> None:
    """Those who are unavailable when they are back."""
    here, away = world.companion(BOB), world.companion(BOB, online=False)
    call = ring(world, video=True)
    world.service.calls.end(world.service.accounts.get(ANN), call.call_id, reason="timeout")

    offered, ended = here.got
    offer, end = offered.require_child("offer"), ended.require_child("terminate")
    assert offered.get("from") == str(world.lid(ANN))
    assert [child.tag for child in offer.children] == ["audio", "video"]
    assert (offer.get("call-id"), offer.get("caller_pn")) == (call.call_id, str(ANN))
    assert (end.get("call-id"), end.get("reason")) == (call.call_id, "timeout")
    assert [node.tag for node in world.record(away.jid).mailbox.waiting()] == ["call", "call"]
    assert call.state is CallState.ENDED


def test_of_a_call_in_a_group_there_is_a_notice(world: Fixture) -> None:
    """Which names the group."""
    companion = world.companion(BOB)
    ring(world, group=GROUP)

    notice = companion.got[0].require_child("offer_notice")
    assert (notice.get("group-jid"), notice.get("media")) == (str(GROUP), "audio")


def test_a_companion_refuses(world: Fixture) -> None:
    """The first word counts, and only that of who is called; each is acked."""
    companion, other = world.companion(BOB), world.companion(EVE)
    call = ring(world)

    for device in (other, companion):
        outcome = world.service.relay.route(device.jid, refuse(call, to=world.lid(ANN)))
        assert outcome.ack is not None
        assert (outcome.ack.get("class"), outcome.ack.get("id")) == ("call", "C1")
        assert call.rejected_by == (companion.jid if device is companion else None)
    assert call.state is CallState.REJECTED


def test_who_ends_a_call(world: Fixture) -> None:
    """Nobody but its caller."""
    call = ring(world)
    with pytest.raises(UnknownCallError):
        world.service.calls.end(world.service.accounts.get(BOB), call.call_id)
