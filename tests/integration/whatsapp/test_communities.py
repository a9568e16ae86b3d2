"""Communities, asked about and changed by hosts with the real library."""

import pytest

from gateway_worker.errors import UpstreamRejectedError
from gateway_worker.host_protocol.methods.groups import (
    CreateGroup,
    LinkGroup,
    ListSubGroups,
    ReadGroup,
)
from tests.integration.whatsapp.stage import Account, Stage
from tests.integration.whatsapp.test_groups import asked

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


async def test_a_community_and_its_groups(stage: Stage, shop: Account) -> None:
    """Made, listed, linked and unlinked; others' groups cannot be taken."""
    ben = await stage.customer()
    made = await asked(shop, CreateGroup(name="Runners", is_community=True))
    community = made.data["group"]
    call = CreateGroup(name="Saturday", members=(ben.number,), community=community)
    inside = (await asked(shop, call)).data["group"]
    outside = (await asked(shop, CreateGroup(name="Sunday"))).data["group"]

    async def groups() -> dict[str, bool]:
        listed = await asked(shop, ListSubGroups(community=community, first=0, most=50))
        assert listed.following is None
        return {one["name"]: one["is_announcements"] for one in listed.data["groups"]}

    assert await groups() == {"Runners": True, "Saturday": False}
    await asked(shop, LinkGroup(community=community, group=outside, linked=True))
    assert await groups() == {"Runners": True, "Saturday": False, "Sunday": False}
    details = (await asked(shop, ReadGroup(group=outside, first=0, most=1))).data["group"]
    assert (details["community"], details["is_community"]) == (community, False)
    details = (await asked(shop, ReadGroup(group=community, first=0, most=1))).data["group"]
    assert details["is_community"] is True
    first = await asked(shop, ListSubGroups(community=community, first=0, most=2))
    assert (len(first.data["groups"]), first.following) == (2, 2)

    await asked(shop, LinkGroup(community=community, group=inside, linked=False))
    assert await groups() == {"Runners": True, "Sunday": False}
    theirs = str(ben.groups.create("Ben's", [shop.phone.number]).jid)
    with pytest.raises(UpstreamRejectedError, match="403"):
        await asked(shop, LinkGroup(community=community, group=theirs, linked=True))
    with pytest.raises(UpstreamRejectedError, match="406"):
        await asked(shop, ListSubGroups(community=inside, first=0, most=1))
