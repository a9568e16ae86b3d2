"""Groups of the service: what is allowed, and who is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.service.errors import GroupRefusedError
from gateway_worker.sandbox.service.groups import settings
from gateway_worker.sandbox.service.groups.elements import group_element
from gateway_worker.sandbox.service.groups.group import Group, MemberAddMode, Role
from gateway_worker.sandbox.service.groups.invitations import check_invitation
from gateway_worker.sandbox.service.reachout import remember_chat
from gateway_worker.sandbox.wire.jid import Jid, pn
from gateway_worker.sandbox.wire.node import Node
from tests.unit.sandbox.service.conftest import ANN, BOB, EVE, Fixture, Recorder

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.groups.groups import Groups

NOBODY = pn("999")


class Three:
    """A group of Ann, who made it, and Bob; each of the three has a companion."""

    def __init__(self, world: Fixture) -> None:
        self.world = world
        self.groups: Groups = world.service.groups
        self.ann, self.bob, self.eve = map(world.service.accounts.get, (ANN, BOB, EVE))
        self.links: dict[Account, Recorder] = {
            self.world.service.accounts.get(one): world.companion(one) for one in (ANN, BOB, EVE)
        }
        self.group: Group = self.groups.create(self.ann, "Club", [BOB])[0]

    def told(self, account: Account) -> list[Node]:
        """Take what the companion of an account was told."""
        got = list(self.links[account].got)
        self.links[account].got.clear()
        return got


@pytest.fixture
def three(world: Fixture) -> Three:
    return Three(world)


def code_of(error: pytest.ExceptionInfo[GroupRefusedError]) -> int:
    """Return the service's number for what was refused."""
    return error.value.code


def test_a_group_is_told_to_its_members(three: Three) -> None:
    """With all that there is to know; phones look by themselves."""
    for account in (three.ann, three.bob):
        (note,) = three.told(account)
        assert (note.tag, note.get("type"), note.jid("from")) == (
            "notification",
            "w:gp2",
            three.group.jid,
        )
        assert (note.jid("participant"), note.jid("participant_pn")) == (three.ann.lid, ANN)
        create = note.require_child("create")
        assert create.get("type") == "new"
        assert create.require_child("group").get("id") == three.group.jid.user
    assert three.told(three.eve) == []
    assert all(phone.got == [] for phone in three.world.phones.values())


def test_a_group_as_an_element(three: Three) -> None:
    """What the client library reads of it, by LID; hidden numbers are for their owner alone."""
    three.bob.hides_number = True
    settings.describe(three.group, three.ann, "about us", text_id="D1")
    settings.set_timer(three.group, three.ann, 86400)
    settings.let_admins_write(three.group, three.ann, only=True)
    settings.let_admins_edit(three.group, three.ann, only=True)

    element = group_element(three.group, viewer=three.ann)

    assert element.get("subject") == "Club"
    assert (element.jid("creator"), element.jid("s_o")) == (three.ann.lid, three.ann.lid)
    assert (element.get("addressing_mode"), element.get("size")) == ("lid", "2")
    assert [one.attrs for one in element.all("participant")] == [
        {"jid": three.ann.lid, "phone_number": ANN, "type": "superadmin"},
        {"jid": three.bob.lid},
    ]
    own = group_element(three.group, viewer=three.bob).all("participant")[1]
    assert own.jid("phone_number") == BOB
    description = element.require_child("description")
    assert (description.get("id"), description.require_child("body").data) == ("D1", b"about us")
    assert element.require_child("ephemeral").get("expiration") == "86400"
    assert element.child("announcement") is not None
    assert element.child("locked") is not None


def test_who_is_added(three: Three) -> None:
    """Those who were there learn who came, who came learns what group it is."""
    for account in three.links:
        three.told(account)
    before = three.group.members_version

    results = three.groups.add(three.group, three.bob, [EVE, ANN, NOBODY])

    assert results == {EVE: 0, ANN: 409, NOBODY: 404}
    assert three.group.members == (three.ann, three.bob, three.eve)
    for account in (three.ann, three.bob):
        (note,) = three.told(account)
        add = note.require_child("add")
        assert [one.jid("jid") for one in add.all("participant")] == [three.eve.lid]
        assert add.get("prev_v_id") == str(before)
        assert add.get("v_id") == str(three.group.members_version) != str(before)
    (note,) = three.told(three.eve)
    assert note.child("create", "group") is not None


def test_who_is_removed_is_told_as_well(three: Three) -> None:
    """By its companion's last stanza of this group."""
    three.told(three.bob)

    results = three.groups.remove(three.group, three.ann, [three.bob.lid, EVE])

    assert results == {three.bob.lid: 0, EVE: 404}
    assert three.group.members == (three.ann,)
    (note,) = three.told(three.bob)
    assert note.require_child("remove").require_child("participant").jid("jid") == three.bob.lid
    settings.rename(three.group, three.ann, "Alone")
    assert three.told(three.bob) == []


def test_admins_come_and_go(three: Three) -> None:
    """Promotion and demotion are told to all members."""
    three.told(three.bob)

    assert three.groups.promote(three.group, three.ann, [BOB]) == {BOB: 0}
    assert three.group.roles[three.bob] is Role.ADMIN
    assert three.groups.demote(three.group, three.bob, [ANN]) == {ANN: 0}
    assert three.group.roles[three.ann] is Role.MEMBER

    assert [note.children[0].tag for note in three.told(three.bob)] == ["promote", "demote"]


def test_the_last_admin_leaves(three: Three) -> None:
    """Somebody takes its place; a group that all have left has nobody."""
    three.groups.leave(three.group, three.ann)

    assert three.group.roles == {three.bob: Role.ADMIN}
    three.groups.leave(three.group, three.bob)
    assert three.group.members == ()
    assert three.groups.of(three.bob) == ()


@pytest.mark.parametrize("change", ["remove", "promote", "demote"])
def test_what_only_admins_may(three: Three, change: str) -> None:
    """Members and strangers are refused, and nothing changes."""
    for account in (three.bob, three.eve):
        with pytest.raises(GroupRefusedError) as refused:
            getattr(three.groups, change)(three.group, account, [ANN])
        assert code_of(refused) == 403

    assert three.group.roles == {three.ann: Role.OWNER, three.bob: Role.MEMBER}


def test_what_members_may(three: Three) -> None:
    """What the group is, until it is locked; strangers never."""
    settings.rename(three.group, three.bob, "Bob's")
    settings.describe(three.group, three.bob, "about")
    settings.set_timer(three.group, three.bob, 60)
    settings.let_admins_edit(three.group, three.ann, only=True)

    for account in (three.bob, three.eve):
        with pytest.raises(GroupRefusedError) as refused:
            settings.rename(three.group, account, "mine")
        assert code_of(refused) == 403
    with pytest.raises(GroupRefusedError):
        settings.let_admins_write(three.group, three.bob, only=True)
    assert three.group.subject.text == "Bob's"


def test_what_changes_is_told(three: Three) -> None:
    """As the elements that the client library understands."""
    group = three.group
    three.told(three.bob)
    settings.rename(group, three.ann, "New")
    settings.describe(group, three.ann, "text")
    settings.describe(group, three.ann, "", text_id="D2")
    settings.set_timer(group, three.ann, 60)
    settings.set_timer(group, three.ann, 0)
    for only in (True, False):
        settings.let_admins_write(group, three.ann, only=only)
        settings.let_admins_edit(group, three.ann, only=only)

    changes = [note.children[0] for note in three.told(three.bob)]
    assert [change.tag for change in changes] == [
        "subject",
        "description",
        "description",
        "ephemeral",
        "not_ephemeral",
        "announcement",
        "locked",
        "not_announcement",
        "unlocked",
    ]
    assert changes[0].get("subject") == "New"
    assert changes[1].require_child("body").data == b"text"
    assert changes[2].get("id") == "D2"
    assert changes[2].child("delete") is not None
    assert all(change.get("v_id") for change in changes if "announcement" in change.tag)


def test_only_admins_add_where_that_was_decided(three: Three) -> None:
    """Others are refused."""
    group, _ = three.groups.create(
        three.ann, "Closed", [BOB], ephemeral_seconds=7, add_mode=MemberAddMode.ADMINS
    )

    with pytest.raises(GroupRefusedError) as refused:
        three.groups.add(group, three.bob, [EVE])
    assert code_of(refused) == 403
    assert three.groups.add(group, three.ann, [EVE]) == {EVE: 0}
    assert group.ephemeral_seconds == 7


@pytest.mark.parametrize("subject", ["", "x" * (settings.MAX_SUBJECT + 1)])
def test_subjects_that_are_none(three: Three, subject: str) -> None:
    """Neither for a new group nor for one that there is."""
    with pytest.raises(GroupRefusedError) as refused:
        three.groups.create(three.ann, subject)
    assert code_of(refused) == 406
    with pytest.raises(GroupRefusedError):
        settings.rename(three.group, three.ann, subject)


def test_a_group_that_there_is_not(three: Three) -> None:
    """It is not found, whatever its address."""
    assert three.groups.find(Jid("1", "g.us")) is None
    with pytest.raises(GroupRefusedError) as refused:
        three.groups.get(Jid("1", "g.us"))
    assert code_of(refused) == 404
    assert list(three.groups) == [three.group]


def test_who_comes_by_the_link(three: Three) -> None:
    """It is told with the reason; the link stays until it is renewed, which is told as well."""
    code = three.groups.links.code(three.group, three.ann)
    for account in three.links:
        three.told(account)

    three.groups.join(three.groups.links.find(code), three.eve)
    three.groups.join(three.group, three.eve)

    (note,) = three.told(three.bob)
    assert (note.jid("participant"), note.require_child("add").get("reason")) == (
        three.eve.lid,
        "invite",
    )
    (note,) = three.told(three.eve)
    assert note.require_child("create").get("reason") == "invite"
    renewed = three.groups.links.renew(three.group, three.ann)
    (note,) = three.told(three.bob)
    assert note.require_child("invite").get("code") == renewed != code


def test_who_lets_only_contacts_add_it(three: Three) -> None:
    """Others get an invitation; one that is too old is refused."""
    three.eve.contacts_add = True
    assert three.groups.add(three.group, three.ann, [EVE]) == {EVE: 403}
    invitation = three.group.invitations[three.eve]
    check_invitation(three.group, three.eve, invitation.code)
    three.group.invitations[three.eve] = replace(invitation, expires_at=0)
    with pytest.raises(GroupRefusedError) as refused:
        check_invitation(three.group, three.eve, invitation.code)
    assert code_of(refused) == 410

    remember_chat(three.ann, three.eve)
    assert three.groups.add(three.group, three.ann, [EVE]) == {EVE: 0}


def test_who_waits_for_an_admin(three: Three) -> None:
    """The link leads to a request then, of which admins are told; they let in, or not."""
    settings.let_admins_approve(three.group, three.ann, only=True)
    for account in three.links:
        three.told(account)

    assert not three.groups.use_link(three.group, three.eve)

    (note,) = three.told(three.ann)
    request = note.require_child("created_membership_requests", "requested_user")
    assert request.jid("jid") == three.eve.lid
    assert three.told(three.bob) == []
    assert list(three.group.requests) == [three.eve]
    with pytest.raises(GroupRefusedError):
        three.groups.decide(three.group, three.bob, [EVE], approve=True)
    assert three.groups.decide(three.group, three.ann, [EVE, BOB], approve=False) == {
        EVE: 0,
        BOB: 404,
    }
    assert three.eve not in three.group.roles
    three.groups.use_link(three.group, three.eve)
    assert three.groups.decide(three.group, three.ann, [EVE], approve=True) == {EVE: 0}
    assert three.eve in three.group.roles
    assert three.groups.use_link(three.group, three.eve)
    assert three.group.requests == {}
