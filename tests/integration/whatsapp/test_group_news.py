"""What happens in groups, from phones by way of the real library to what a session is told."""

from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from gateway_contracts import (
    GroupAspect,
    GroupEventData,
    GroupJoinedData,
    GroupJoinRequestedData,
    GroupParticipantsData,
    GroupUpdatedData,
    ParticipantsChange,
)
from gateway_worker.host_protocol.methods.groups import CreateGroup
from gateway_worker.host_protocol.signals import Ended, Exited
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.wire.jid import Jid
from gateway_worker.sandbox.wire.node import Attrs, Node
from tests.integration.whatsapp.stage import Account, Stage
from tests.support.arrivals import InboundNotice

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

News = TypeVar("News", bound=GroupEventData)


async def told(account: Account, kind: type[News], group: str) -> News:
    """Return the next thing of a kind that a session is told of a group."""
    notice = await account.next(
        InboundNotice, lambda one: isinstance(one.data, kind) and one.data.chat == group
    )
    assert isinstance(notice.data, kind)
    assert not notice.data.partial
    return notice.data


def number_of(phone: Phone) -> str:
    """Return somebody's id by number."""
    return f"{phone.number}@s.whatsapp.net"


async def club(account: Account, maker: Phone, *others: Phone) -> str:
    """Let somebody make a group with the account; it is told of it."""
    members = [account.phone.number, *(one.number for one in others)]
    group = str(maker.groups.create("Club", members).jid)
    await told(account, GroupJoinedData, group)
    return group


async def test_the_account_is_in_a_group(stage: Stage, shop: Account) -> None:
    """By somebody else's doing, or its own."""
    ben = await stage.customer()
    group = str(ben.groups.create("Club", [shop.phone.number]).jid)
    joined = await told(shop, GroupJoinedData, group)
    assert joined.is_new
    assert (joined.details.group, joined.details.name, joined.details.size) == (group, "Club", 2)
    assert joined.by is not None
    assert (joined.by.jid, joined.by.lid) == (number_of(ben), str(ben.jid))

    answer = await shop.host.request(CreateGroup(name="Own"))
    own = await told(shop, GroupJoinedData, answer.data["group"])
    assert own.by is not None
    assert (own.is_new, own.by.jid) == (True, number_of(shop.phone))

    versions = {joined.members_version, own.members_version}
    ben.groups.remove(group, [shop.phone.number])
    left = await told(shop, GroupParticipantsData, group)
    assert (left.change, left.is_me) == (ParticipantsChange.LEFT, True)
    ben.groups.add(group, [shop.phone.number])
    again = await told(shop, GroupJoinedData, group)
    assert (again.is_new, again.members_version in versions) == (False, False)


async def test_what_a_group_is_changes(stage: Stage, shop: Account) -> None:
    """With who has done it, and what it is now."""
    ben = await stage.customer()
    group = await club(shop, ben)
    groups = ben.groups
    groups.rename(group, "New")
    groups.describe(group, "about us")
    groups.describe(group, "")
    groups.let_admins_write(group, only=True)
    groups.let_admins_edit(group, only=True)
    groups.set_timer(group, 86_400)
    groups.set_timer(group, 0)
    groups.link(group)
    code = groups.renew_link(group)
    groups.set_picture(group, b"\xff\xd8\xff\xe0")
    groups.set_picture(group, b"")

    for what, field, value in (
        (GroupAspect.NAME, "name", "New"),
        (GroupAspect.DESCRIPTION, "description", "about us"),
        (GroupAspect.DESCRIPTION, "description", None),
        (GroupAspect.ANNOUNCE, "announce", True),
        (GroupAspect.LOCKED, "locked", True),
        (GroupAspect.TIMER, "disappearing_seconds", 86_400),
        (GroupAspect.TIMER, "disappearing_seconds", None),
        (GroupAspect.INVITE_LINK, "invite_link", f"https://chat.whatsapp.com/{code}"),
        (GroupAspect.PHOTO, "photo_removed", False),
        (GroupAspect.PHOTO, "photo_removed", True),
    ):
        news = await told(shop, GroupUpdatedData, group)
        assert (news.what, getattr(news, field)) == ((what,), value)
        assert news.by is not None
        assert news.by.jid == number_of(ben)
        assert news.timestamp is not None
        assert abs(datetime.now(UTC) - news.timestamp) < timedelta(minutes=5)


async def test_members_come_and_go(stage: Stage, shop: Account) -> None:
    """Each change with whom it is about, and by whom."""
    ben, cleo = await stage.customer("Ben"), await stage.customer("Cleo")
    group = await club(shop, ben)
    ben.groups.add(group, [cleo.number])
    ben.groups.promote(group, [cleo.number, shop.phone.number])
    ben.groups.demote(group, [shop.phone.number])
    cleo.groups.leave(group)
    cleo.groups.join(ben.groups.link(group))

    for change, by, members, is_me in (
        (ParticipantsChange.JOINED, ben, [cleo], False),
        (ParticipantsChange.PROMOTED, ben, [cleo, shop.phone], True),
        (ParticipantsChange.DEMOTED, ben, [shop.phone], True),
        (ParticipantsChange.LEFT, cleo, [cleo], False),
        (ParticipantsChange.JOINED, cleo, [cleo], False),
    ):
        news = await told(shop, GroupParticipantsData, group)
        assert (news.change, news.is_me) == (change, is_me)
        assert [one.jid for one in news.members] == [number_of(one) for one in members]
        assert news.by is not None
        assert news.by.jid == number_of(by)
    assert news.reason == "invite"


async def test_who_wants_to_enter(stage: Stage, shop: Account) -> None:
    """Admins are told; that they are to be asked the library does not tell."""
    ben = await stage.customer()
    answer = await shop.host.request(CreateGroup(name="Own"))
    group = answer.data["group"]
    shop.phone.groups.let_admins_approve(group, only=True)
    ben.groups.join(shop.phone.groups.link(group))

    asked = await told(shop, GroupJoinRequestedData, group)

    assert [one.lid for one in asked.members] == [str(ben.jid)]
    assert (asked.withdrawn, asked.method) == (False, "invite_link")


async def test_a_group_and_its_community(stage: Stage, shop: Account) -> None:
    """Both sides are told which the other one is."""
    ben = await stage.customer()
    community = str(ben.groups.create_community("Runners", [shop.phone.number]).jid)
    joined = await told(shop, GroupJoinedData, community)
    assert joined.details.is_community
    announcements = str(ben.groups.announcements_of(community).jid)
    joined = await told(shop, GroupJoinedData, announcements)
    assert (joined.details.is_announcements, joined.details.community) == (True, community)
    group = await club(shop, ben)

    ben.groups.link_to(community, group)
    ben.groups.unlink_from(community, group)

    for what in (GroupAspect.LINKED, GroupAspect.UNLINKED):
        for told_of, other, name in ((community, group, "Club"), (group, community, "Runners")):
            news = await told(shop, GroupUpdatedData, told_of)
            assert (news.what, news.related, news.related_name) == ((what,), other, name)


async def test_what_happened_meanwhile(stage: Stage) -> None:
    """It is told when the session is back."""
    account, ben = await stage.linked(), await stage.customer()
    group = await club(account, ben)
    await account.stop()
    ben.groups.rename(group, "New")
    ben.groups.promote(group, [account.phone.number])

    await account.resume()

    assert (await told(account, GroupUpdatedData, group)).name == "New"
    assert (await told(account, GroupParticipantsData, group)).is_me


async def test_a_relation_of_groups_that_the_library_does_not_know(stage: Stage) -> None:
    """It stops over that; its host leaves, and what comes after it is told by the next one."""
    account, ben = await stage.linked(), await stage.customer()
    group = await club(account, ben)
    attrs: Attrs = {"type": "w:gp2", "from": Jid.parse(group), "participant": ben.jid}
    attrs |= {"id": "4711", "t": "1790000000"}
    related = Node("group", {"id": "120363025550100099", "subject": "X", "s_t": "1790000000"})
    link = Node("link", {"link_type": "cousin_group"}, (related,))

    stage.sandbox.connections.inject(account.phone.number, Node("notification", attrs, (link,)))

    assert (await account.next(Ended)).reason == "library_stopped"
    await account.next(Exited)
    await account.resume()
    ben.groups.rename(group, "New")
    assert (await told(account, GroupUpdatedData, group)).name == "New"
