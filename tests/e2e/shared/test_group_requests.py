"""A backend keeps groups: it makes them, changes them, enters and leaves them, and is told."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, TypeVar

from PIL import Image

from gateway_contracts import (
    CommandEnvelope,
    CommunityLink,
    CommunitySubGroups,
    CommunityUnlink,
    Done,
    EntryState,
    GroupAcceptInvite,
    GroupCreate,
    GroupCreated,
    GroupEntered,
    GroupGetInfo,
    GroupInfo,
    GroupInviteLink,
    GroupJoin,
    GroupJoined,
    GroupJoinRequested,
    GroupLink,
    GroupList,
    GroupMembers,
    GroupParticipants,
    GroupPreview,
    GroupRequests,
    GroupSet,
    GroupsListed,
    GroupUpdated,
    MemberOutcome,
    MemberRole,
    MembersChanged,
    MessageSend,
    RequestsListed,
    SessionEventEnvelope,
    SubGroupsListed,
)
from gateway_worker.sandbox.service.fault_rules import Error, Match, Point, Rule, Who
from tests.e2e.shared.test_files_sent import uploaded
from tests.e2e.shared.test_groups import got
from tests.support.samples import picture

if TYPE_CHECKING:
    from gateway_worker.sandbox.phones.phone import Phone
    from tests.e2e.harness import Gateway

C = TypeVar("C", bound=CommandEnvelope)
E = TypeVar("E", bound=SessionEventEnvelope)
R = TypeVar("R")


class Shop:
    """A session that keeps groups."""

    def __init__(self, gateway: Gateway, name: str, phone: Phone) -> None:
        self.gateway = gateway
        self.name = name
        self.phone = phone

    def command(self, kind: type[C], **data: Any) -> C:
        """Return a command."""
        source = self.gateway.backend.source
        return kind.model_validate({"source": source, "subject": self.name, "data": data})

    async def ask(self, result: type[R], kind: type[CommandEnvelope], **data: Any) -> R:
        """Run a command and return its result."""
        found = await self.gateway.succeed(self.command(kind, **data))
        assert isinstance(found, result)
        return found

    async def told(self, kind: type[E], group: str) -> E:
        """Return the first event of a kind that tells of a group."""
        return await self.gateway.backend.expect(
            kind,
            self.name,
            lambda event: event.data.chat == group,  # type: ignore[attr-defined]
        )


async def test_a_group_of_ones_own(gateway: Gateway, name: str) -> None:
    """Made, filled, changed and read; who cannot be added is sent the invitation."""
    phone = await gateway.sandbox.add_phone()
    ada, ben = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    ben.groups.let_contacts_add(only=True)
    await gateway.link(name, phone)
    shop = Shop(gateway, name, phone)

    made = await shop.ask(GroupCreated, GroupCreate, name="Club", members=[ada.number, ben.number])
    group = made.group
    done, closed = made.members
    assert (done.member, done.outcome) == (ada.number, MemberOutcome.DONE)
    assert (closed.outcome, closed.status) == (MemberOutcome.INVITE_ONLY, 403)
    joined = await shop.told(GroupJoined, group)
    assert (joined.data.chat_id, joined.data.is_new) == (group, True)

    assert closed.invite is not None
    content = closed.invite.model_dump(mode="json", exclude_none=True)
    sent = await gateway.succeed(shop.command(MessageSend, to=closed.member, content=content))
    invited = (await got(ben, sent.message_id)).content["groupInviteMessage"]
    assert (invited["groupJID"], invited["groupName"]) == (group, "Club")
    ben.groups.accept(group, invited["inviteCode"])
    entered = await shop.told(GroupParticipants, group)
    assert [one.phone_number for one in entered.data.members] == [f"+{ben.number}"]

    changed = await shop.ask(
        MembersChanged, GroupMembers, group=group, change="promote", members=[f"+{ada.number}"]
    )
    assert [one.outcome for one in changed.members] == [MemberOutcome.DONE]
    media_id = await uploaded(gateway, name, "image/png", picture(900, 600, form="PNG"))
    for change in (
        {"what": "name", "name": "Crew"},
        {"what": "description", "description": "about us"},
        {"what": "announce", "only_admins": True},
        {"what": "locked", "only_admins": True},
        {"what": "timer", "seconds": 604_800},
        {"what": "photo", "media": {"source": "upload", "media_id": media_id}},
    ):
        await shop.ask(Done, GroupSet, group=group, change=change)
    renamed = await shop.told(GroupUpdated, group)
    assert renamed.data.name == "Crew"
    with Image.open(io.BytesIO(ada.groups.get(group).picture)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (600, 600))
    info = await shop.ask(GroupInfo, GroupGetInfo, group=group)
    details = info.group
    assert (details.name, details.description, details.size) == ("Crew", "about us", 3)
    assert (details.announce, details.locked, details.disappearing_seconds) == (True, True, 604_800)
    roles = {one.lid: one.role for one in info.members}
    assert roles == {
        str(phone.jid): MemberRole.OWNER,
        str(ada.jid): MemberRole.ADMIN,
        str(ben.jid): MemberRole.MEMBER,
    }
    page = await shop.ask(GroupInfo, GroupGetInfo, group=group, limit=2)
    rest = await shop.ask(GroupInfo, GroupGetInfo, group=group, cursor=page.next_cursor)
    assert (page.members + rest.members, rest.next_cursor) == (info.members, None)
    listed = await shop.ask(GroupsListed, GroupList, limit=200)
    assert [one.name for one in listed.groups] == ["Crew"]
    failed = await gateway.fail(shop.command(GroupList, cursor="elsewhere"))
    assert failed.data.error.errors[0].pointer == "/data/cursor"


async def a_join_of_which_no_more_is_told(shop: Shop, ada: Phone) -> None:
    """The account is in; asked to enter once more it would ask the admins twice."""
    shy = ada.groups.create("Shy")
    asked = Rule(
        id=f"join-{shop.phone.number}",
        point=Point.IQ,
        who=Who(number=shop.phone.number),
        match=Match(query="w:g2/query"),
        effect=Error(code=429),
        times=1,
    )
    shop.gateway.sandbox.faults.add(asked)
    link = f"https://chat.whatsapp.com/{ada.groups.link(shy.jid)}"
    entered = await shop.ask(GroupEntered, GroupJoin, link=link)
    assert (entered.group, entered.state) == (str(shy.jid), EntryState.UNKNOWN)
    await shop.told(GroupJoined, str(shy.jid))


async def test_groups_of_others(gateway: Gateway, name: str) -> None:
    """Looked at and entered by link and by invitation; admins are asked, and communities kept."""
    phone, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    shop = Shop(gateway, name, phone)
    theirs = ada.groups.create("Ada's")
    link = f"https://chat.whatsapp.com/{ada.groups.link(theirs.jid)}?mode=ac_t"

    seen = await shop.ask(GroupInfo, GroupPreview, by={"method": "link", "link": link})
    assert (seen.group.group, seen.group.name) == (str(theirs.jid), "Ada's")
    entered = await shop.ask(GroupEntered, GroupJoin, link=link)
    assert (entered.group, entered.state) == (str(theirs.jid), EntryState.JOINED)
    await shop.told(GroupJoined, str(theirs.jid))
    await a_join_of_which_no_more_is_told(shop, ada)

    phone.groups.let_contacts_add(only=True)
    other = ada.groups.create("Other")
    ada.groups.add(other.jid, [phone.number])
    invitation = other.invitations[ada.find(phone.number)]
    invite = {"group": str(other.jid), "inviter": ada.number, "code": invitation.code}
    seen = await shop.ask(GroupInfo, GroupPreview, by={"method": "invite", **invite})
    assert seen.group.name == "Other"
    entered = await shop.ask(GroupEntered, GroupAcceptInvite, **invite)
    assert (entered.group, entered.state) == (str(other.jid), EntryState.JOINED)

    own = (await shop.ask(GroupCreated, GroupCreate, name="Own")).group
    phone.groups.let_admins_approve(own, only=True)
    shown = await shop.ask(GroupLink, GroupInviteLink, group=own)
    ada.groups.join(shown.link.rpartition("/")[2])
    await shop.told(GroupJoinRequested, own)
    waiting = await shop.ask(RequestsListed, GroupRequests, group=own)
    assert [one.participant.phone_number for one in waiting.requests] == [f"+{ada.number}"]
    renewed = await shop.ask(GroupLink, GroupInviteLink, group=own, revoke=True)
    assert renewed.link != shown.link

    made = await shop.ask(GroupCreated, GroupCreate, name="Runners", is_community=True)
    both = {"community": made.group, "group": own}
    await shop.ask(Done, CommunityLink, **both)
    inside = await shop.ask(SubGroupsListed, CommunitySubGroups, community=made.group)
    assert {one.name: one.is_announcements for one in inside.groups} == {
        "Runners": True,
        "Own": False,
    }
    await shop.ask(Done, CommunityUnlink, **both)
    inside = await shop.ask(SubGroupsListed, CommunitySubGroups, community=made.group)
    assert [one.name for one in inside.groups] == ["Runners"]
