"""What WhatsApp tells twice and is no message reaches a backend once, with one number."""

from gateway_contracts import GroupParticipants, GroupUpdated, MessageReceived, SessionMigrate
from gateway_worker.sandbox.service.fault_rules import Match, Point, Rule, Silence, Who
from tests.e2e.fleet import Fleet
from tests.support.eventually import eventually

SWITCHED = [True, False, True]


async def test_a_change_of_a_group_is_told_by_two_hosts(fleet: Fleet, name: str) -> None:
    """The first could not confirm it, and WhatsApp tells it to the next one, elsewhere.

    On, off and on again are three changes, although they may well be of one second.
    """

    def updates() -> list[GroupUpdated]:
        found = fleet.backend.events_of(name)
        return [one for one in found if isinstance(one, GroupUpdated)]

    shop, ada, ben = [await fleet.sandbox.add_phone() for _ in range(3)]
    await fleet.link(name, shop)
    group = str(ada.groups.create("Club", [shop.number]).jid)
    unconfirmed = Rule(
        id=f"unconfirmed {name}",
        point=Point.STANZA,
        who=Who(number=shop.number),
        match=Match(attrs={"class": "notification"}),
        effect=Silence(),
    )
    fleet.sandbox.faults.add(unconfirmed)
    ada.groups.add(group, [ben.number])
    for only in SWITCHED:
        ada.groups.let_admins_write(group, only=only)
    told = await fleet.backend.expect(GroupParticipants, name)
    await eventually(lambda: [one.data.announce for one in updates()] == SWITCHED)
    record = fleet.sandbox.service.accounts.find_device(shop.companions[0])
    assert record is not None
    assert any(node.tag == "notification" for node in record.mailbox.waiting())

    fleet.sandbox.faults.remove(unconfirmed.id)
    await fleet.succeed(SessionMigrate(source=fleet.backend.source, subject=name))
    await eventually(lambda: not record.mailbox.waiting(), reason="it has come once more")
    await ada.send_text(shop.number, "hello")
    last = await fleet.backend.expect(MessageReceived, name)

    events = fleet.backend.events_of(name)
    assert [one.id for one in events if isinstance(one, GroupParticipants)] == [told.id]
    assert [one.data.announce for one in updates()] == SWITCHED
    numbers = [int(one.sequence) for one in events if one.sequence is not None]
    assert numbers == list(range(1, int(last.sequence or 0) + 1))
