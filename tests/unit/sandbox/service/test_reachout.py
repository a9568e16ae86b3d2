"""Chats that an account may not begin, tokens that let it, and numbers that nobody learns."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway_worker.sandbox.service.fault_rules import Error, Match, Point, Rule, Who
from gateway_worker.sandbox.service.reachout import Timelock, give_token, set_timelock
from gateway_worker.sandbox.wire.jid import Jid
from gateway_worker.sandbox.wire.node import Attrs, Node
from tests.unit.sandbox.service.conftest import ANN, BOB, EVE, Fixture

ENC = Node("enc", {"v": "2", "type": "msg"}, b"sealed")
SOON = datetime.now(UTC) + timedelta(hours=1)


async def error_of(world: Fixture, sender: Jid, to: Jid, *more: Node) -> str:
    """Send a message; returns the error in its ack, or ""."""
    target = world.lid(to)
    copies = Node("participants", {}, (Node("to", {"jid": target}, (ENC,)),))
    sent = len(world.phones[to].got)
    attrs: Attrs = {"id": f"M{sent}{len(more)}", "type": "text", "to": target}
    ack = await world.service.relay.submit(sender, Node("message", attrs, (copies, *more)))
    assert ack is not None
    assert len(world.phones[to].got) == sent + ("error" not in ack.attrs)
    return ack.get("error")


def lock(world: Fixture, until: datetime = SOON) -> None:
    """Lock Ann's account."""
    timelock = Timelock(until=until, kind="WEB_COMPANION_ONLY")
    set_timelock(world.service.accounts.get(ANN), timelock)


async def test_a_locked_account_begins_no_chat(world: Fixture) -> None:
    """Whoever wrote first is answered, whoever was written to before is written to again."""
    ann = world.companion(ANN).jid
    assert await error_of(world, ann, BOB) == ""
    lock(world)

    assert await error_of(world, ann, EVE) == "463"
    assert await error_of(world, ann, BOB) == ""
    assert await error_of(world, world.lid(EVE), ANN) == ""
    assert await error_of(world, ann, EVE) == ""


@pytest.mark.parametrize("until", [datetime.now(UTC), SOON])
async def test_a_lock_ends(world: Fixture, until: datetime) -> None:
    """At its time, or when it is lifted before."""
    lock(world, until)
    if until is SOON:
        assert await error_of(world, world.lid(ANN), BOB) == "463"
        set_timelock(world.service.accounts.get(ANN), None)

    assert await error_of(world, world.lid(ANN), EVE) == ""


async def test_companions_are_told_of_a_lock(world: Fixture) -> None:
    """When it begins and when it ends."""
    companion = world.companion(ANN)
    lock(world)
    set_timelock(world.service.accounts.get(ANN), None)

    told = []
    for node in companion.got:
        assert (node.tag, node.get("type")) == ("notification", "mex")
        update = node.require_child("update")
        assert update.get("op_name") == "NotificationUserReachoutTimelockUpdate"
        told.append(json.loads(update.data)["data"]["xwa2_notify_account_reachout_timelock"])
    ends = str(int(SOON.timestamp()))
    assert told == [
        {
            "is_active": True,
            "enforcement_type": "WEB_COMPANION_ONLY",
            "time_enforcement_ends": ends,
        },
        {"is_active": False, "enforcement_type": "DEFAULT", "time_enforcement_ends": "0"},
    ]


async def test_a_token_opens_a_locked_chat(world: Fixture) -> None:
    """The one that was given, to the one who got it."""
    companion = world.companion(ANN)
    accounts = world.service.accounts
    token = give_token(accounts.get(EVE), accounts.get(ANN))
    (given,) = companion.got
    assert (given.tag, given.get("type")) == ("notification", "privacy_token")
    assert (given.get("from"), given.get("sender_lid")) == (str(EVE), str(world.lid(EVE)))
    shown = given.require_child("tokens", "token")
    assert (shown.data, shown.get("type")) == (token.data, "trusted_contact")
    assert shown.get("t") == str(token.given_at)
    lock(world)

    wrong, right = Node("tctoken", {}, b"x"), Node("tctoken", {}, token.data)
    assert await error_of(world, companion.jid, EVE) == "463"
    assert await error_of(world, companion.jid, EVE, wrong) == "463"
    assert await error_of(world, companion.jid, BOB, right) == "463"
    assert await error_of(world, companion.jid, EVE, right) == ""


async def test_a_rule_can_ask_for_a_token(world: Fixture) -> None:
    """Whether it is there or not, for one recipient."""
    token = Node("tctoken", {}, b"x")
    for rule_id, match, code in (
        ("cold", Match(about=BOB.user, lacks=("tctoken",)), 463),
        ("warm", Match(about=BOB.user, has=("tctoken", "participants")), 479),
        ("never", Match(has=("tctoken", "other")), 403),
    ):
        who = Who(number=ANN.user, device=0)
        rule = Rule(id=rule_id, point=Point.MESSAGE, who=who, match=match, effect=Error(code=code))
        world.service.faults.add(rule)

    assert await error_of(world, world.lid(ANN), BOB) == "463"
    assert await error_of(world, world.lid(ANN), BOB, token) == "479"
    assert await error_of(world, world.lid(ANN), EVE, token) == ""


async def test_a_hidden_number_is_in_no_stanza(world: Fixture) -> None:
    """Neither for those who are written to nor for the own companions who write."""
    world.service.accounts.get(BOB).hides_number = True
    companion = world.companion(ANN)
    await error_of(world, world.lid(BOB), ANN)
    await error_of(world, world.lid(ANN), BOB)
    copies = Node("participants", {}, (Node("to", {"jid": companion.jid}, (ENC,)),))
    attrs: Attrs = {"id": "own", "type": "text", "to": world.lid(BOB)}
    await world.service.relay.submit(world.lid(ANN), Node("message", attrs, (copies,)))

    seen = [*world.phones[ANN].got, *companion.got]
    assert len(seen) == 2
    for node in seen:
        named = [value for value in node.attrs.values() if isinstance(value, Jid)]
        assert BOB not in [jid.account for jid in named]
    assert companion.got[0].get("recipient") == str(world.lid(BOB))
    (message,) = world.phones[BOB].got
    assert message.get("sender_pn") == str(ANN)
