"""A worker dies while it makes a group: nobody makes it once more."""

from gateway_contracts import (
    CommandFailed,
    ErrorCode,
    GroupCreate,
    GroupCreated,
    GroupCreateData,
)
from gateway_worker.sandbox.service.fault_rules import Drop, Match, Point, Rule, Who
from tests.e2e.harness import Gateway
from tests.support.eventually import eventually


async def test_a_group_whose_making_was_interrupted(gateway: Gateway, name: str) -> None:
    """Nobody can tell whether it was made, and so it is told; the next one is made."""
    shop = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    faults = gateway.sandbox.service.faults
    asked = Match(query="w:g2/create")
    who = Who(number=shop.number)
    faults.add(Rule(id="lost", point=Point.IQ, who=who, match=asked, effect=Drop(), times=1))
    lost, kept = (
        GroupCreate(source=gateway.backend.source, subject=name, data=GroupCreateData(name=called))
        for called in ("Lost", "Kept")
    )

    await gateway.backend.publish(lost)
    await eventually(lambda: (found := faults.find("lost")) and found.applied, timeout_seconds=30)
    await gateway.worker.kill()
    await gateway.worker.start()

    outcome = await gateway.backend.outcome(lost.id)
    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.UNCERTAIN
    made = await gateway.succeed(kept)
    assert isinstance(made, GroupCreated)
    assert [str(group.jid) for group in shop.groups.joined] == [made.group]
