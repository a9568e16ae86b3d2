"""What companions ask about groups, and what they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from gateway_worker.sandbox.server.queries.table import query_table
from gateway_worker.sandbox.service.groups.group import MemberAddMode, Role
from gateway_worker.sandbox.wire.jid import GROUPS, SERVER, Jid, pn
from gateway_worker.sandbox.wire.node import Attrs, Node
from tests.unit.sandbox.service.conftest import ANN, BOB, EVE, Fixture

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.service import Service


class Asking:
    """As much of a companion's session as queries look at."""

    def __init__(self, service: Service, account: Account) -> None:
        self.service = service
        self.account = account

    def ask(self, kind: str, to: Jid, asked: Node, *, xmlns: str = "w:g2") -> Node:
        """Send a query and return the answer."""
        attrs: Attrs = {"xmlns": xmlns, "type": kind, "to": to, "id": "Q1"}
        query = Node("iq", attrs, (asked,))
        run = query_table().find(query)
        assert run is not None
        answer = run(cast("DeviceSession", self), query)
        assert answer is not None
        assert answer.get("id") == "Q1"
        return answer


@pytest.fixture
def world() -> Fixture:
    return Fixture()


@pytest.fixture
def ann(world: Fixture) -> Asking:
    return Asking(world.service, world.service.accounts.get(ANN))


@pytest.fixture
def eve(world: Fixture) -> Asking:
    return Asking(world.service, world.service.accounts.get(EVE))


@pytest.fixture
def group(world: Fixture, ann: Asking) -> Jid:
    """Return a group of Ann and Bob."""
    return world.service.groups.create(ann.account, "Club", [BOB])[0].jid


def people(*addresses: Jid) -> tuple[Node, ...]:
    """Name people in a query."""
    return tuple(Node("participant", {"jid": one}) for one in addresses)


def code_of(answer: Node) -> str:
    """Return the number of an error."""
    assert answer.get("type") == "error"
    return answer.require_child("error").get("code")


def test_a_group_is_made(world: Fixture, ann: Asking) -> None:
    """As the client library asks for it; who cannot be added is named with the reason."""
    settings = (
        Node("member_add_mode", {}, b"admin_add"),
        Node("ephemeral", {"expiration": "86400"}),
        Node("membership_approval_mode", {}, (Node("group_join", {"state": "off"}),)),
    )
    asked = Node("create", {"subject": "Club"}, (*people(BOB, pn("999")), *settings))

    element = ann.ask("set", GROUPS, asked).require_child("group")

    (group,) = world.service.groups
    assert element.get("id") == group.jid.user
    assert [one.jid("jid") for one in element.all("participant")] == [
        ann.account.lid,
        world.lid(BOB),
        pn("999"),
    ]
    assert [one.get("error") for one in element.all("participant")] == ["", "", "404"]
    assert group.add_mode is MemberAddMode.ADMINS
    assert group.ephemeral_seconds == 86400
    assert [one.subject.text for one in world.service.groups] == ["Club"]
    assert code_of(ann.ask("set", GROUPS, Node("create", {"subject": ""}))) == "406"


def test_members_are_told_what_there_is_to_know(ann: Asking, eve: Asking, group: Jid) -> None:
    """Of one group and of all; strangers are refused, and find none."""
    query = Node("query", {"request": "interactive"})
    listed = Node("participating", {}, (Node("participants"), Node("description")))

    one = ann.ask("get", group, query).require_child("group")
    (of_all,) = ann.ask("get", GROUPS, listed).require_child("groups").all("group")

    assert one == of_all
    assert one.get("subject") == "Club"
    assert code_of(eve.ask("get", group, query)) == "403"
    assert eve.ask("get", GROUPS, listed).require_child("groups").children == ()
    assert code_of(ann.ask("get", Jid("1", "g.us"), query)) == "404"


def test_members_change(world: Fixture, ann: Asking, eve: Asking, group: Jid) -> None:
    """The answer has each of those who were named, with what became of it."""
    state = world.service.groups.get(group)
    added = ann.ask("set", group, Node("add", {}, people(EVE, BOB, pn("999"))))
    assert [(one.jid("jid"), one.get("error")) for one in added.require_child("add").children] == [
        (world.lid(EVE), ""),
        (world.lid(BOB), "409"),
        (pn("999"), "404"),
    ]

    ann.ask("set", group, Node("promote", {}, people(EVE)))
    assert state.roles[eve.account] is Role.ADMIN
    eve.ask("set", group, Node("demote", {}, people(ANN)))
    assert code_of(ann.ask("set", group, Node("promote", {}, people(BOB)))) == "403"
    removed = eve.ask("set", group, Node("remove", {}, people(BOB)))
    assert removed.require_child("remove", "participant").jid("jid") == world.lid(BOB)
    assert list(state.members) == [ann.account, eve.account]

    left = ann.ask("set", GROUPS, Node("leave", {}, (Node("group", {"id": group}),)))
    assert left.require_child("leave", "group").jid("id") == group
    assert list(state.members) == [eve.account]
    assert code_of(ann.ask("set", GROUPS, left.require_child("leave"))) == "403"


def test_what_a_group_is_changes(world: Fixture, ann: Asking, eve: Asking, group: Jid) -> None:
    """By the elements that the client library sends; strangers change nothing."""
    state = world.service.groups.get(group)
    for asked in (
        Node("subject", {}, b"New"),
        Node("description", {"id": "D1"}, (Node("body", {}, b"about us"),)),
        Node("announcement"),
        Node("locked"),
        Node("ephemeral", {"expiration": "60"}),
    ):
        assert ann.ask("set", group, asked).get("type") == "result"
        assert code_of(eve.ask("set", group, asked)) in ("403", "409")
    assert state.subject.text == "New"
    assert state.description is not None
    assert (state.description.description_id, state.description.text) == ("D1", "about us")
    assert (state.admins_write, state.admins_edit, state.ephemeral_seconds) == (True, True, 60)

    stale = Node("description", {"id": "D2", "prev": "D0"}, (Node("body", {}, b"stale"),))
    assert code_of(ann.ask("set", group, stale)) == "409"
    for asked in (
        Node("description", {"id": "D2", "prev": "D1", "delete": "true"}),
        Node("not_announcement"),
        Node("unlocked"),
        Node("not_ephemeral"),
    ):
        assert ann.ask("set", group, asked).get("type") == "result"
    assert world.service.groups.get(group).description is None
    now = world.service.groups.get(group)
    assert (now.admins_write, now.admins_edit, now.ephemeral_seconds) == (False, False, 0)


def test_the_link_of_a_group(world: Fixture, ann: Asking, eve: Asking, group: Jid) -> None:
    """Admins show and renew it; whoever has it looks at the group and enters."""
    link = ann.ask("get", group, Node("invite")).require_child("invite").get("code")
    assert link == ann.ask("get", group, Node("invite")).require_child("invite").get("code")
    assert code_of(eve.ask("get", group, Node("invite"))) == "403"
    bob = Asking(world.service, world.service.accounts.get(BOB))
    assert code_of(bob.ask("set", group, Node("invite"))) == "401"

    used = Node("invite", {"code": link})
    assert eve.ask("get", GROUPS, used).require_child("group").get("subject") == "Club"
    assert eve.ask("set", GROUPS, used).require_child("group").jid("jid") == group
    assert eve.account in world.service.groups.get(group).roles

    renewed = ann.ask("set", group, Node("invite")).require_child("invite").get("code")
    assert renewed != link
    for kind in ("get", "set"):
        assert code_of(eve.ask(kind, GROUPS, used)) == "410"
        assert code_of(eve.ask(kind, GROUPS, Node("invite", {"code": "x"}))) == "406"


def test_an_invitation_that_was_sent(world: Fixture, ann: Asking, eve: Asking, group: Jid) -> None:
    """For who lets only contacts add it; it is good for one account and one time."""
    eve.account.contacts_add = True
    answer = ann.ask("set", group, Node("add", {}, people(EVE)))
    member = answer.require_child("add", "participant")
    assert (member.jid("jid"), member.get("error")) == (eve.account.lid, "403")
    request = member.require_child("add_request")
    assert int(request.get("expiration")) > 0

    shown = Node("query", {}, (Node("add_request", dict(request.attrs)),))
    accepted = Node("accept", {**request.attrs, "admin": ann.account.lid})
    assert eve.ask("get", group, shown).require_child("group").get("subject") == "Club"
    assert code_of(ann.ask("set", group, accepted)) == "406"
    assert eve.ask("set", group, accepted).get("type") == "result"
    assert eve.account in world.service.groups.get(group).roles
    assert code_of(eve.ask("set", group, accepted)) == "406"


def test_who_waits_to_be_let_in(world: Fixture, ann: Asking, eve: Asking) -> None:
    """A group can be made so; the list is for its admins, who decide."""
    mode = Node("membership_approval_mode", {}, (Node("group_join", {"state": "on"}),))
    made = ann.ask("set", GROUPS, Node("create", {"subject": "Club"}, (mode,)))
    assert made.require_child("group").child("membership_approval_mode") is not None
    (group,) = world.service.groups
    code = world.service.groups.links.code(group, ann.account)

    asked = eve.ask("set", GROUPS, Node("invite", {"code": code}))
    assert asked.require_child("membership_approval_request").jid("jid") == group.jid
    listed = ann.ask("get", group.jid, Node("membership_approval_requests"))
    (request,) = listed.require_child("membership_approval_requests").children
    assert request.jid("jid") == eve.account.lid
    assert request.get("request_time").isdigit()
    assert code_of(eve.ask("get", group.jid, Node("membership_approval_requests"))) == "403"

    for tag, is_in in (("reject", False), ("approve", True)):
        eve.ask("set", GROUPS, Node("invite", {"code": code}))
        action = Node("membership_requests_action", {}, (Node(tag, {}, people(EVE)),))
        answer = ann.ask("set", group.jid, action)
        member = answer.require_child("membership_requests_action", tag, "participant")
        assert (member.jid("jid"), member.get("error")) == (eve.account.lid, "")
        assert (eve.account in group.roles) is is_in


def test_who_sees_the_status(world: Fixture, ann: Asking) -> None:
    """Nothing was set at first, which is 404; then those who were chosen."""
    asked = Node("privacy")
    assert code_of(ann.ask("get", SERVER, asked, xmlns="status")) == "404"

    ann.account.status_audience = (world.lid(BOB),)
    privacy = ann.ask("get", SERVER, asked, xmlns="status").require_child("privacy")

    (listed,) = privacy.all("list")
    assert listed.attrs == {"type": "whitelist", "default": "true"}
    assert [one.jid("jid") for one in listed.all("user")] == [world.lid(BOB)]
