"""Fault rules: whom they are about, which stanzas, how often and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from gateway_worker.sandbox.service.errors import UnknownRuleError
from gateway_worker.sandbox.service.fault_rules import (
    EFFECTS,
    Alter,
    Corrupt,
    Cut,
    Delay,
    Drop,
    Effect,
    Error,
    Expire,
    Failure,
    Match,
    Point,
    Rule,
    Slow,
    Truncate,
    Who,
)
from gateway_worker.sandbox.service.faults import Faults
from gateway_worker.sandbox.wire.jid import Jid
from gateway_worker.sandbox.wire.node import Attrs, Node
from tests.unit.sandbox.service.conftest import ANN, BOB, EVE, Fixture

ENC = Node("enc", {"v": "2", "type": "msg"}, b"sealed")
NOW = datetime.now(UTC)
ONE_OF_EACH: dict[type, Effect] = {
    Drop: Drop(),
    Error: Error(code=429),
    Failure: Failure(reason=503),
    Delay: Delay(seconds=1),
    Corrupt: Corrupt(),
    Alter: Alter(attrs={"t": "0"}),
    Slow: Slow(bytes_per_second=1),
    Cut: Cut(),
    Truncate: Truncate(),
    Expire: Expire(),
}


async def sent(world: Fixture, to: Jid, message_id: str, sender: Jid | None = None) -> Node | None:
    """Send a message and return its ack."""
    target = world.lid(to)
    copies = Node("participants", {}, (Node("to", {"jid": target}, (ENC,)),))
    attrs: Attrs = {"id": message_id, "type": "text", "to": target}
    return await world.service.relay.submit(
        sender or world.lid(ANN), Node("message", attrs, (copies,))
    )


def got(world: Fixture, phone: Jid) -> list[str]:
    """Return the ids of the messages that reached a phone."""
    return [node.get("id") for node in world.phones[phone].got if node.tag == "message"]


def applied(world: Fixture, rule_id: str) -> int:
    """Return how often a rule has applied."""
    active = world.service.faults.find(rule_id)
    assert active is not None
    return active.applied


async def test_a_rule_can_name_the_recipient_and_wait(world: Fixture) -> None:
    """The second message to one person is lost and acked; nobody else's is."""
    world.service.faults.add(
        Rule(
            id="lost",
            point=Point.MESSAGE,
            who=Who(number=ANN.user, device=0),
            match=Match(about=BOB.user),
            effect=Drop(),
            after=1,
            times=1,
        )
    )
    for number in range(3):
        for to in (BOB, EVE):
            ack = await sent(world, to, f"M{number}")
            assert ack is not None
            assert "error" not in ack.attrs

    assert got(world, BOB) == ["M0", "M2"]
    assert got(world, EVE) == ["M0", "M1", "M2"]
    assert applied(world, "lost") == 1


async def test_rules_of_several_scripts_stand_beside_each_other(world: Fixture) -> None:
    """Each is taken away by its id, and what is set in short touches no other."""
    mine = Who(number=ANN.user, device=0)
    ack, message = Point.ACK, Point.MESSAGE
    world.service.faults.add(Rule(id="one", point=message, who=mine, effect=Error(code=429)))
    world.service.faults.add(Rule(id="two", point=ack, who=mine, effect=Drop(), times=1))
    world.service.faults.set(ANN.user, Faults(garbled=1), device=0)
    world.service.faults.set(ANN.user, Faults(), device=0)
    assert [active.rule.id for active in world.service.faults] == ["one", "two"]

    assert await sent(world, BOB, "M0") is None
    refused = await sent(world, BOB, "M1")
    assert refused is not None
    assert refused.get("error") == "429"
    world.service.faults.remove("one")
    accepted = await sent(world, BOB, "M2")

    assert accepted is not None
    assert "error" not in accepted.attrs
    assert got(world, BOB) == ["M2"]
    with pytest.raises(UnknownRuleError):
        world.service.faults.remove("one")


async def test_a_rule_without_an_account_is_about_every_companion(world: Fixture) -> None:
    """And spares the phones, as those of an account do."""
    companions = [world.companion(number) for number in (ANN, BOB)]
    world.service.faults.add(Rule(id="all", point=Point.ACK, effect=Drop()))

    for companion in companions:
        assert await sent(world, EVE, "M0", companion.jid) is None
    assert await sent(world, EVE, "M1") is not None


async def test_a_rule_ends_at_its_moment(world: Fixture) -> None:
    """One that has passed applies to nothing; one to come does not hinder."""
    mine = Who(number=ANN.user, device=0)
    for rule_id, moment in (("past", -1), ("future", 60)):
        until = NOW + timedelta(minutes=moment)
        effect = Delay(seconds=moment + 2)
        rule = Rule(id=rule_id, point=Point.ACK, who=mine, effect=effect, until=until)
        world.service.faults.add(rule)

    stanza = Node("message", {"id": "1", "to": Jid("1", "g.us")})
    outcome = world.service.relay.route(world.lid(ANN), stanza)

    assert outcome.delay_seconds == 62
    assert (applied(world, "past"), applied(world, "future")) == (0, 1)


async def test_a_rule_added_again_starts_anew(world: Fixture) -> None:
    """Under the same id it takes the other's place, with nothing applied."""
    rule = Rule(id="x", point=Point.ACK, who=Who(number=ANN.user, device=0), effect=Drop(), times=1)
    for _ in range(2):
        world.service.faults.add(rule)
        assert await sent(world, BOB, "M0") is None
        assert await sent(world, BOB, "M0") is not None
    assert len(list(world.service.faults)) == 1


@pytest.mark.parametrize("about", ["group", ANN.user])
async def test_a_rule_can_be_about_a_group_or_one_of_its_writers(
    world: Fixture, about: str
) -> None:
    """By the group's digits, or by the number of the member that writes."""
    owner = world.service.accounts.get(ANN)
    group, _ = world.service.groups.create(owner, "Club", [BOB, EVE])
    match = Match(about=group.jid.user if about == "group" else about)
    who = Who(number=BOB.user, device=0)
    rule = Rule(id="x", point=Point.DELIVERY, who=who, match=match, effect=Alter(attrs={"t": "1"}))
    world.service.faults.add(rule)

    for writer in (ANN, EVE):
        enc = Node("enc", {"v": "2", "type": "skmsg"}, b"sealed")
        attrs: Attrs = {"id": f"M{writer.user}", "to": group.jid, "type": "text"}
        world.service.relay.route(world.lid(writer), Node("message", attrs, (enc,)))

    altered = [node.get("t") == "1" for node in world.phones[BOB].got]
    assert altered == [True, about == "group"]


async def test_a_rule_can_pick_receipts_by_what_they_say(world: Fixture) -> None:
    """Those that say "read" are lost, others arrive."""
    mine = Who(number=BOB.user, device=0)
    match = Match(attrs={"type": "read"})
    world.service.faults.add(
        Rule(id="x", point=Point.RECEIPT, who=mine, match=match, effect=Drop())
    )
    for kind in ("read", "played"):
        attrs: Attrs = {"id": "M1", "to": world.lid(ANN), "type": kind}
        await world.service.relay.submit(world.lid(BOB), Node("receipt", attrs))

    assert [node.get("type") for node in world.phones[ANN].got] == ["played"]


async def test_only_ciphertexts_are_damaged(world: Fixture) -> None:
    """And attributes are replaced by others, both on the same message."""
    theirs = Who(number=BOB.user, device=0)
    altered = Alter(attrs={"t": "5"})
    world.service.faults.add(Rule(id="a", point=Point.DELIVERY, who=theirs, effect=Corrupt()))
    world.service.faults.add(Rule(id="b", point=Point.DELIVERY, who=theirs, effect=altered))

    await sent(world, BOB, "M0")

    (message,) = world.phones[BOB].got
    assert message.get("t") == "5"
    (damaged,) = message.children
    assert (damaged.attrs, damaged.data) == (ENC.attrs, b"seale" + bytes([ord("d") ^ 1]))


@pytest.mark.parametrize("point", Point)
def test_a_point_takes_only_what_can_happen_there(point: Point) -> None:
    """Any other effect is a mistake in the rule, told when it is written."""
    for kind, effect in ONE_OF_EACH.items():
        if kind in EFFECTS[point]:
            assert Rule(id="x", point=point, effect=effect).effect == effect
        else:
            with pytest.raises(ValidationError, match="there is no effect"):
                Rule(id="x", point=point, effect=effect)


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ""},
        {"id": "a/b"},
        {"match": Match(query="usync")},
        {"times": -1},
        {"until": datetime(2026, 1, 1)},  # noqa: DTZ001 - that is what is wrong with it
    ],
)
def test_mistakes_in_a_rule_are_told(fields: dict[str, Any]) -> None:
    """Before it is in force."""
    with pytest.raises(ValidationError):
        Rule(**{"id": "x", "point": Point.ACK, "effect": Drop(), **fields})
