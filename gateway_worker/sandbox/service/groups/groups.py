"""All groups, and who comes and goes: each change is checked, made and told."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.service.errors import GroupRefusedError
from gateway_worker.sandbox.service.groups.changes import tell, tell_members, tell_newcomers
from gateway_worker.sandbox.service.groups.communities import require_community
from gateway_worker.sandbox.service.groups.elements import member_elements
from gateway_worker.sandbox.service.groups.group import (
    FORBIDDEN,
    Group,
    MemberAddMode,
    Role,
    Subject,
)
from gateway_worker.sandbox.service.groups.invitations import Links, invite
from gateway_worker.sandbox.service.groups.settings import check_subject
from gateway_worker.sandbox.wire.jid import GROUP_SERVER, Jid
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gateway_worker.sandbox.service.accounts import Account, Accounts

NOT_FOUND: Final = 404
CONFLICT: Final = 409
INVITED: Final = "invite"
DONE: Final = 0
_FIRST_GROUP: Final = 120363_000000000001

Results = dict[Jid, int]
"""What became of each address in a change of members: 0, or an error's number."""


class Groups:
    """The service's groups. Members may be named by number or by LID.

    Attributes:
        links: the ways into groups that are open to whoever has them.
    """

    def __init__(self, *, accounts: Accounts) -> None:
        """Start with none."""
        self._accounts = accounts
        self._groups: dict[Jid, Group] = {}
        self._numbers = itertools.count(_FIRST_GROUP)
        self.links = Links(groups=self)

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups.values())

    def find(self, address: Jid) -> Group | None:
        """The group with this address."""
        return self._groups.get(address)

    def get(self, address: Jid) -> Group:
        """The group with this address.

        Raises:
            GroupRefusedError: 404.
        """
        group = self._groups.get(address)
        if group is None:
            raise GroupRefusedError(NOT_FOUND, "item-not-found")
        return group

    def of(self, account: Account) -> tuple[Group, ...]:
        """The groups that an account is in."""
        return tuple(group for group in self if account in group.roles)

    # --- members

    def create(
        self,
        owner: Account,
        subject: str,
        members: Iterable[Jid] = (),
        *,
        ephemeral_seconds: int = 0,
        add_mode: MemberAddMode = MemberAddMode.EVERYBODY,
        admins_approve: bool = False,
        is_community: bool = False,
        parent: Group | None = None,
    ) -> tuple[Group, Results]:
        """Make a group of its owner and others; those that nobody has are left out.

        A community gets a group for its announcements, with the same members.

        Raises:
            GroupRefusedError: 406: the subject is too long, or empty, or the parent is no
                community. 403: the owner is no admin of the parent.
        """
        check_subject(subject)
        if parent is not None:
            require_community(parent)
            parent.require_admin(owner)
        now = int(time.time())
        group = Group(
            jid=Jid(str(next(self._numbers)), GROUP_SERVER),
            subject=Subject(text=subject, by=owner.lid, at=now),
            creator=owner.lid,
            created_at=now,
            roles={owner: Role.OWNER},
            ephemeral_seconds=ephemeral_seconds,
            add_mode=add_mode,
            admins_approve=admins_approve,
            is_community=is_community,
            parent=parent,
        )
        results = self._enter(group, owner, members)
        self._groups[group.jid] = group
        tell_newcomers(group, owner, group.members, kind="new")
        if is_community:
            self._make_announcements(group, owner)
        return group, results

    def _make_announcements(self, community: Group, owner: Account) -> None:
        group = replace(
            community,
            jid=Jid(str(next(self._numbers)), GROUP_SERVER),
            roles=dict(community.roles),
            requests={},
            invitations={},
            admins_write=True,
            is_community=False,
            is_announcements=True,
            parent=community,
        )
        self._groups[group.jid] = group
        tell_newcomers(group, owner, group.members, kind="new")

    def add(self, group: Group, actor: Account, members: Iterable[Jid]) -> Results:
        """Let somebody into a group.

        Addresses that nobody has are 404, who is in it already is 409, and who lets only contacts
        add it is 403: `Group.invitations` has what can be sent to it.

        Raises:
            GroupRefusedError: 403: the actor may not.
        """
        group.require_member(actor)
        if group.add_mode is MemberAddMode.ADMINS:
            group.require_admin(actor)
        before = group.members
        results = self._enter(group, actor, members)
        self._tell_of_newcomers(group, actor, before)
        return results

    def join(self, group: Group, account: Account) -> None:
        """Enter a group by its link or an invitation; a no-op for who is in it already."""
        before = group.members
        group.roles.setdefault(account, Role.MEMBER)
        group.invitations.pop(account, None)
        group.requests.pop(account, None)
        self._tell_of_newcomers(group, account, before, reason=INVITED)

    def use_link(self, group: Group, account: Account) -> bool:
        """Enter a group whose link somebody has, or ask its admins; tells whether it is in."""
        if not group.admins_approve or account in group.roles:
            self.join(group, account)
            return True
        group.requests.setdefault(account, int(time.time()))
        asked = Node("requested_user", {"jid": account.lid})
        change = Node("created_membership_requests", {"request_method": "invite_link"}, (asked,))
        tell(group, account, change, to=filter(group.is_admin, group.members))
        return False

    def decide(
        self, group: Group, actor: Account, members: Iterable[Jid], *, approve: bool
    ) -> Results:
        """Let those in who asked for it, or not; 404 for who has not asked.

        Raises:
            GroupRefusedError: 403: the actor is no admin.
        """
        group.require_admin(actor)
        results: Results = {}
        before = group.members
        for address in members:
            account = self._accounts.find(address)
            results[address] = NOT_FOUND
            if account is not None and group.requests.pop(account, None) is not None:
                results[address] = DONE
                if approve:
                    group.roles.setdefault(account, Role.MEMBER)
        self._tell_of_newcomers(group, actor, before)
        return results

    def remove(self, group: Group, actor: Account, members: Iterable[Jid]) -> Results:
        """Put members out of a group: 404 for who is not in it; those who go are told as well.

        Raises:
            GroupRefusedError: 403: the actor is no admin.
        """
        group.require_admin(actor)
        return self._let_go(group, actor, members)

    def leave(self, group: Group, actor: Account) -> None:
        """Leave a group; if no admin is left, who is in it longest becomes one.

        Raises:
            GroupRefusedError: 403: the actor is not in it.
        """
        group.require_member(actor)
        self._let_go(group, actor, (actor.lid,))
        if group.roles and not any(map(group.is_admin, group.roles)):
            self._give_role(group, actor, group.members[:1], Role.ADMIN)

    def promote(self, group: Group, actor: Account, members: Iterable[Jid]) -> Results:
        """Make members admins; results and errors as of `remove`."""
        group.require_admin(actor)
        return self._change_roles(group, actor, members, Role.ADMIN)

    def demote(self, group: Group, actor: Account, members: Iterable[Jid]) -> Results:
        """Make admins members; results and errors as of `remove`."""
        group.require_admin(actor)
        return self._change_roles(group, actor, members, Role.MEMBER)

    def tell_new_link(self, group: Group, actor: Account, code: str) -> None:
        """Tell the members of a group's new link."""
        tell_members(group, actor, Node("invite", {"code": code}))

    # --- inside

    def _tell_of_newcomers(
        self, group: Group, actor: Account, before: Sequence[Account], *, reason: str = ""
    ) -> None:
        came = tuple(one for one in group.members if one not in before)
        if came:
            change = self._members_change(group, "add", came)
            if reason:
                change.attrs["reason"] = reason
            tell(group, actor, change, to=before)
            tell_newcomers(group, actor, came, reason=reason)

    def _enter(self, group: Group, actor: Account, members: Iterable[Jid]) -> Results:
        results: Results = {}
        for address in members:
            account = self._accounts.find(address)
            if account is None:
                results[address] = NOT_FOUND
            elif account in group.roles:
                results[address] = CONFLICT
            elif not account.can_be_added_by(actor):
                invite(group, account)
                results[address] = FORBIDDEN
            else:
                group.roles[account] = Role.MEMBER
                group.invitations.pop(account, None)
                results[address] = DONE
        return results

    def _let_go(self, group: Group, actor: Account, members: Iterable[Jid]) -> Results:
        found, results = self._sort_out(group, members)
        told = group.members
        for account in found:
            del group.roles[account]
        if found:
            tell(group, actor, self._members_change(group, "remove", found), to=told)
        return results

    def _change_roles(
        self, group: Group, actor: Account, members: Iterable[Jid], role: Role
    ) -> Results:
        found, results = self._sort_out(group, members)
        if found:
            self._give_role(group, actor, found, role)
        return results

    def _give_role(
        self, group: Group, actor: Account, accounts: Sequence[Account], role: Role
    ) -> None:
        group.roles |= dict.fromkeys(accounts, role)
        tag = "promote" if role is Role.ADMIN else "demote"
        tell_members(group, actor, self._members_change(group, tag, accounts))

    def _sort_out(
        self, group: Group, members: Iterable[Jid]
    ) -> tuple[tuple[Account, ...], Results]:
        """Tell who of these is in a group, and for each address whether it is one of them."""
        inside: dict[Jid, Account] = {}
        results: Results = {}
        for address in members:
            account = self._accounts.find(address)
            results[address] = NOT_FOUND
            if account is not None and account in group.roles:
                inside[address], results[address] = account, DONE
        return tuple(dict.fromkeys(inside.values())), results

    def _members_change(self, group: Group, tag: str, accounts: Iterable[Account]) -> Node:
        before, group.members_version = group.members_version, time.time_ns()
        attrs: Attrs = {"prev_v_id": str(before), "v_id": str(group.members_version)}
        return Node(tag, attrs, member_elements(accounts))
