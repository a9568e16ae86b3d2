"""Groups, asked about and changed by hosts with the real library."""

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gateway_worker.errors import (
    RateLimitedError,
    UncertainError,
    UpstreamRejectedError,
)
from gateway_worker.host_protocol.methods.groups import (
    AcceptInvite,
    AskMembership,
    ChangeGroup,
    ChangeMembers,
    CreateGroup,
    GroupAnswer,
    JoinGroup,
    LeaveGroup,
    ListGroups,
    ListJoinRequests,
    PreviewGroup,
    PreviewInvite,
    ReadGroup,
    ReadInviteLink,
)
from gateway_worker.host_protocol.methods.method import Method
from gateway_worker.host_protocol.signals import Exited
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.service.fault_rules import (
    Delay,
    Drop,
    Error,
    Match,
    Point,
    Rule,
    Who,
)
from gateway_worker.sessions.send_journal import Acknowledged, Submitted
from tests.integration.whatsapp.stage import Account, Stage
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

NOBODY = "120363999999999999@g.us"


async def asked(account: Account, call: Method[GroupAnswer]) -> GroupAnswer:
    """Ask a host something; it says how long the library took."""
    answer = await account.host.request(call)
    assert answer.seconds > 0
    return answer


async def read(account: Account, group: str) -> dict[str, object]:
    """Return what a group is."""
    details: dict[str, object] = (
        await asked(account, ReadGroup(group=group, first=0, most=100))
    ).data["group"]
    return details


def by_number(phone: Phone) -> str:
    """Return somebody's id by number."""
    return f"{phone.number}@s.whatsapp.net"


async def test_a_group_is_made_read_and_listed(stage: Stage, shop: Account) -> None:
    """Its members by number and LID, a page at a time; in the list it stands without them."""
    ben, cleo = await stage.customer("Ben"), await stage.customer("Cleo")
    made = await asked(shop, CreateGroup(name="Club", members=(ben.number, str(cleo.jid))))
    group = made.data["group"]
    assert made.data["members"] == [{"outcome": "done"}, {"outcome": "done"}]
    assert ben.groups.get(group).subject.text == "Club"

    whole = await asked(shop, ReadGroup(group=group, first=0, most=100))
    assert whole.following is None
    assert whole.data["members"] == [
        {"jid": by_number(shop.phone), "lid": str(shop.phone.jid), "role": "owner"},
        {"jid": by_number(ben), "lid": str(ben.jid), "role": "member"},
        {"jid": by_number(cleo), "lid": str(cleo.jid), "role": "member"},
    ]
    details = whole.data["group"]
    assert (details["group"], details["name"], details["size"]) == (group, "Club", 3)
    assert details["owner"] == by_number(shop.phone)
    assert (details["announce"], details["locked"], details["is_community"]) == (False,) * 3
    pages = [await asked(shop, ReadGroup(group=group, first=first, most=2)) for first in (0, 2, 4)]
    assert [page.following for page in pages] == [2, None, None]
    assert [one for page in pages for one in page.data["members"]] == whole.data["members"]

    others = [cleo.groups.create(f"Other {number}", [shop.phone.number]) for number in range(2)]
    listed = await asked(shop, ListGroups(first=0, most=200))
    names = {one["group"]: one["name"] for one in listed.data["groups"]}
    assert (
        names.items()
        >= {
            group: "Club",
            **{str(one.jid): one.subject.text for one in others},
        }.items()
    )
    assert listed.following is None
    first = await asked(shop, ListGroups(first=0, most=1))
    second = await asked(shop, ListGroups(first=1, most=1))
    assert first.following == 1
    assert [*first.data["groups"], *second.data["groups"]] == listed.data["groups"][:2]


async def test_members_come_and_go(stage: Stage, shop: Account) -> None:
    """What became of each is told in the order of the question, whoever it is."""
    ben, cleo, dora = [await stage.customer(name) for name in ("Ben", "Cleo", "Dora")]
    dora.groups.let_contacts_add(only=True)
    made = await asked(shop, CreateGroup(name="Club", members=(dora.number, "12025559998")))
    group = made.data["group"]
    closed, missing = made.data["members"]
    assert (closed["outcome"], closed["status"]) == ("invite_only", 403)
    assert missing == {"outcome": "not_found"}

    async def change(what: str, *people: str) -> list[dict[str, object]]:
        call = ChangeMembers(group=group, change=what, members=people)
        told: list[dict[str, object]] = (await asked(shop, call)).data["members"]
        return told

    assert await change("add", ben.number, "12025559998", str(cleo.jid), str(ben.jid)) == [
        {"outcome": "done"},
        {"outcome": "not_found"},
        {"outcome": "done"},
        {"outcome": "done"},
    ]
    assert await change("add", ben.number) == [{"outcome": "unchanged", "status": 409}]
    call = ChangeMembers(group=group, change="add", members=(dora.number,))
    refused = (await asked(shop, call)).data
    assert refused["name"] == "Club"
    (offered,) = refused["members"]
    assert (offered["outcome"], offered["status"]) == ("invite_only", 403)
    dora.groups.accept(group, offered["invite"]["code"])
    assert dora.groups.get(group).subject.text == "Club"

    assert await change("promote", by_number(ben)) == [{"outcome": "done"}]
    assert ben.groups.get(group).is_admin(ben.find(ben.jid))
    assert await change("demote", ben.number) == [{"outcome": "done"}]
    assert await change("remove", cleo.number, ben.number) == [{"outcome": "done"}] * 2
    assert await change("remove", cleo.number) == [{"outcome": "not_found", "status": 404}]
    assert await change("remove", "12025559998") == [{"outcome": "not_found"}]

    dora.groups.leave(group)
    other = str(ben.groups.create("Ben's", [shop.phone.number]).jid)
    refused_call = ChangeMembers(group=other, change="remove", members=(ben.number,))
    with pytest.raises(UpstreamRejectedError, match="403"):
        await asked(shop, refused_call)


async def test_what_a_group_is_changes(stage: Stage, shop: Account) -> None:
    """One thing at a time, for those who may."""
    ben = await stage.customer()
    group = str(ben.groups.create("Club", [shop.phone.number]).jid)
    ben.groups.promote(group, [shop.phone.number])

    async def change(what: str, **values: object) -> None:
        await asked(shop, ChangeGroup(group=group, change={"what": what, **values}))

    await change("name", name="Ä new \N{PARTY POPPER}")
    await change("description", description="about us")
    await change("announce", only_admins=True)
    await change("locked", only_admins=True)
    await change("timer", seconds=86_400)
    details = await read(shop, group)
    assert details["name"] == "Ä new \N{PARTY POPPER}"
    assert details["description"] == "about us"
    assert (details["announce"], details["locked"]) == (True, True)
    assert details["disappearing_seconds"] == 86_400

    await change("description", description="")
    await change("announce", only_admins=False)
    await change("locked", only_admins=False)
    await change("timer", seconds=0)
    details = await read(shop, group)
    assert (details["announce"], details["locked"]) == (False, False)
    assert details.keys().isdisjoint({"description", "disappearing_seconds"})

    ben.groups.let_admins_edit(group, only=True)
    ben.groups.demote(group, [shop.phone.number])
    for refused in ({"what": "name", "name": "Mine"}, {"what": "announce", "only_admins": True}):
        with pytest.raises(UpstreamRejectedError, match="403"):
            await asked(shop, ChangeGroup(group=group, change=refused))
    assert ben.groups.get(group).subject.text == "Ä new \N{PARTY POPPER}"


async def test_a_picture(stage: Stage, shop: Account) -> None:
    """It is read from the session's directory; what is no picture WhatsApp refuses."""
    ben = await stage.customer()
    group = str(ben.groups.create("Club", [shop.phone.number]).jid)
    picture, other = shop.directory / "picture", shop.directory / "other"
    Image.new("RGB", (64, 64), "navy").save(picture, "JPEG")
    other.write_bytes(b"no picture")

    def with_picture(path: Path) -> ChangeGroup:
        return ChangeGroup(group=group, change={"what": "photo"}, picture=str(path))

    await asked(shop, with_picture(picture))
    assert Image.open(io.BytesIO(ben.groups.get(group).picture)).size == (64, 64)
    with pytest.raises(UpstreamRejectedError, match="406"):
        await asked(shop, with_picture(other))
    assert ben.groups.get(group).picture == picture.read_bytes()


async def test_links_and_invitations(stage: Stage, shop: Account) -> None:
    """Shown and revoked; looked at, used, and refused when they lead nowhere."""
    ben = await stage.customer()
    group = (await asked(shop, CreateGroup(name="Own"))).data["group"]
    link = (await asked(shop, ReadInviteLink(group=group))).data["link"]
    renewed = (await asked(shop, ReadInviteLink(group=group, revoke=True))).data["link"]
    assert link.startswith("https://chat.whatsapp.com/")
    assert link != renewed
    ben.groups.join(renewed.rpartition("/")[2])

    other = ben.groups.create("Other")
    code = ben.groups.link(other.jid)
    seen = (await asked(shop, PreviewGroup(code=code))).data
    assert (seen["group"]["name"], [one["role"] for one in seen["members"]]) == ("Other", ["owner"])
    for _ in range(2):
        assert (await asked(shop, JoinGroup(code=code))).data == {"group": str(other.jid)}
        is_in = await asked(shop, AskMembership(group=str(other.jid)))
        assert is_in.data == {"is_in": True}
    with pytest.raises(UpstreamRejectedError, match="401"):
        await asked(shop, ReadInviteLink(group=str(other.jid)))
    ben.groups.renew_link(other.jid)
    with pytest.raises(UpstreamRejectedError, match="410"):
        await asked(shop, JoinGroup(code=code))
    with pytest.raises(UpstreamRejectedError, match="406"):
        await asked(shop, PreviewGroup(code="nobodyhasthis"))

    shop.phone.groups.let_contacts_add(only=True)
    third = ben.groups.create("Third")
    assert list(ben.groups.add(third.jid, [shop.phone.number]).values()) == [403]
    invitation = third.invitations[ben.find(shop.phone.number)]
    invite: dict[str, Any] = {
        "group": str(third.jid),
        "inviter": ben.number,
        "code": invitation.code,
        "expires_at": invitation.expires_at,
    }
    seen = (await asked(shop, PreviewInvite(**invite))).data
    assert seen["group"]["name"] == "Third"
    joined = {"group": str(third.jid), "state": "joined"}
    for _ in range(2):  # it can be used once, and who is in the group has used it
        assert (await asked(shop, AcceptInvite(**invite))).data == joined
    await asked(shop, LeaveGroup(group=str(third.jid)))
    with pytest.raises(UpstreamRejectedError, match="406"):
        await asked(shop, AcceptInvite(**invite))
    shop.phone.groups.let_contacts_add(only=False)


async def test_admins_are_asked(stage: Stage, shop: Account) -> None:
    """Who has asked is not in the group, and is listed for its admins."""
    ben, cleo = await stage.customer(), await stage.customer("Cleo")
    group = ben.groups.create("Club", [cleo.number])
    ben.groups.let_admins_approve(group.jid, only=True)
    code = ben.groups.link(group.jid)
    told = (await asked(shop, JoinGroup(code=code))).data
    assert told == {"group": str(group.jid)}
    assert (await asked(shop, AskMembership(group=str(group.jid)))).data == {"is_in": False}
    assert shop.phone.find(shop.phone.jid) not in group.roles

    own = (await asked(shop, CreateGroup(name="Own"))).data["group"]
    shop.phone.groups.let_admins_approve(own, only=True)
    link = (await asked(shop, ReadInviteLink(group=own))).data["link"]
    for phone in (ben, cleo):
        phone.groups.join(link.rpartition("/")[2])
    first, second = [
        await asked(shop, ListJoinRequests(group=own, first=place, most=1)) for place in (0, 1)
    ]
    assert (first.following, second.following) == (1, None)
    requests = [*first.data["requests"], *second.data["requests"]]
    assert [one["participant"]["lid"] for one in requests] == [str(ben.jid), str(cleo.jid)]
    assert all("requested_at" in one for one in requests)


async def test_a_group_is_left_once_for_all(stage: Stage, shop: Account) -> None:
    """Leaving again changes nothing; what never was cannot be left, nor looked at."""
    ben = await stage.customer()
    group = str(ben.groups.create("Club", [shop.phone.number]).jid)
    for _ in range(2):
        await asked(shop, LeaveGroup(group=group))
    assert ben.groups.get(group).members == (ben.find(ben.jid),)
    with pytest.raises(UpstreamRejectedError, match="403"):
        await read(shop, group)
    for call in (LeaveGroup(group=NOBODY), ReadGroup(group=NOBODY, first=0, most=1)):
        with pytest.raises(UpstreamRejectedError, match="404"):
            await asked(shop, call)


def fault(stage: Stage, account: Account, query: str, effect: Drop | Delay | Error) -> Rule:
    """Let something go wrong once with a query of an account."""
    rule = Rule(
        id=f"{query.rpartition('/')[2]}-{account.phone.number}",
        point=Point.IQ,
        who=Who(number=account.phone.number),
        match=Match(query=query),
        effect=effect,
        times=1,
    )
    stage.sandbox.faults.add(rule)
    return rule


async def test_what_is_refused_for_now(stage: Stage, shop: Account) -> None:
    """It says when to come again; what WhatsApp has failed with is not made once more."""
    fault(stage, shop, "w:g2/participating", Error(code=429))
    with pytest.raises(RateLimitedError) as limited:
        await asked(shop, ListGroups(first=0, most=1))
    assert limited.value.retry_after_seconds
    fault(stage, shop, "w:g2/create", Error(code=429))
    with pytest.raises(RateLimitedError):
        await shop.host.request(CreateGroup(name="Club"), command_id="refused")
    fault(stage, shop, "w:g2/create", Error(code=500))
    with pytest.raises(UncertainError):
        await shop.host.request(CreateGroup(name="Club"), command_id="failed")


async def test_a_group_is_made_once(stage: Stage) -> None:
    """The journal tells what was made; a host that dies meanwhile leaves it uncertain."""
    account = await stage.account()
    account.worker_id, account.epoch = "w", 1
    await account.link()

    async def look(command: str) -> object:
        return await stage.processes.look_up(account.directory, command, worker_id="w", epoch=1)

    made = await account.host.request(CreateGroup(name="Club"), command_id="made")
    rule = fault(stage, account, "w:g2/create", Drop())
    making = asyncio.create_task(account.host.request(CreateGroup(name="Lost"), command_id="lost"))
    await eventually(
        lambda: (active := stage.sandbox.faults.find(rule.id)) is not None and active.applied == 1,
        timeout_seconds=30,
    )
    account.host.kill()
    with pytest.raises(UncertainError):
        await making
    await account.next(Exited)

    found = await look("made")
    assert isinstance(found, Acknowledged)
    assert isinstance(found.result, GroupAnswer)
    assert found.result.data == made.data
    assert await look("lost") == Submitted()
