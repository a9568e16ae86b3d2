"""What a phone does with groups: the service is told, and tells the members' companions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.phones.recipients import address_of
from gateway_worker.sandbox.service.groups import communities, settings
from gateway_worker.sandbox.service.groups.invitations import check_invitation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway_worker.sandbox.phones.recipients import AddressBook
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.groups.group import Group
    from gateway_worker.sandbox.service.groups.groups import Results
    from gateway_worker.sandbox.service.service import Service
    from gateway_worker.sandbox.wire.jid import Jid


class GroupChats:
    """The groups of one account.

    Groups are given as an address in text form or as a `Jid`, people as to `Phone`. Every method
    raises `GroupRefusedError` for what the service refuses: 403 for who is no member or no admin,
    404 for a group that there is not, 406 for what is not acceptable (a subject, a link), 410 for a
    link that was revoked.
    """

    def __init__(self, *, service: Service, account: Account, addresses: AddressBook) -> None:
        self._groups = service.groups
        self._account = account
        self._addresses = addresses

    @property
    def joined(self) -> tuple[Group, ...]:
        """Those that the account is in."""
        return self._groups.of(self._account)

    def get(self, group: str | Jid) -> Group:
        """Return a group that the account is in."""
        found = self._groups.get(address_of(group))
        found.require_member(self._account)
        return found

    def create(
        self, subject: str, members: Iterable[str | Jid] = (), *, ephemeral_seconds: int = 0
    ) -> Group:
        """Make a group, of which the account is the owner.

        Raises:
            UnknownRecipientError: nobody has one of the members' addresses.
        """
        group, _ = self._groups.create(
            self._account, subject, self._lids(members), ephemeral_seconds=ephemeral_seconds
        )
        return group

    def create_community(self, subject: str, members: Iterable[str | Jid] = ()) -> Group:
        """Make a community, with its group for announcements; raises as `create`."""
        community, _ = self._groups.create(
            self._account, subject, self._lids(members), is_community=True
        )
        return community

    def announcements_of(self, community: str | Jid) -> Group:
        """Return the group for a community's announcements."""
        found = communities.sub_groups(self._groups, self._at(community), self._account)
        return next(group for group in found if group.is_announcements)

    def link_to(self, community: str | Jid, group: str | Jid) -> None:
        """Let a group belong to a community; 403 for who is no admin of both."""
        communities.link(self._at(community), self._at(group), self._account)

    def unlink_from(self, community: str | Jid, group: str | Jid) -> None:
        """Let a group belong to a community no longer; 404 if it does not."""
        communities.unlink(self._at(community), self._at(group), self._account)

    def add(self, group: str | Jid, members: Iterable[str | Jid]) -> Results:
        """Let others in; by LID what became of each: 0, or 409 for who is in it already.

        403 is for who lets only contacts add it; the group has an invitation for it then.

        Raises:
            UnknownRecipientError: nobody has one of the addresses.
        """
        return self._groups.add(self._at(group), self._account, self._lids(members))

    def remove(self, group: str | Jid, members: Iterable[str | Jid]) -> Results:
        """Put members out; 404 for who is not in it. Raises as `add`."""
        return self._groups.remove(self._at(group), self._account, self._lids(members))

    def promote(self, group: str | Jid, members: Iterable[str | Jid]) -> Results:
        """Make members admins; as `remove`."""
        return self._groups.promote(self._at(group), self._account, self._lids(members))

    def demote(self, group: str | Jid, members: Iterable[str | Jid]) -> Results:
        """Make admins members; as `remove`."""
        return self._groups.demote(self._at(group), self._account, self._lids(members))

    def leave(self, group: str | Jid) -> None:
        """Leave a group."""
        self._groups.leave(self._at(group), self._account)

    def link(self, group: str | Jid) -> str:
        """Return the code of a group's link; 401 for who is no admin."""
        return self._groups.links.code(self._at(group), self._account)

    def renew_link(self, group: str | Jid) -> str:
        """Revoke a group's link and return the new code; 401 for who is no admin."""
        return self._groups.links.renew(self._at(group), self._account)

    def join(self, code: str) -> Group:
        """Enter the group that a link leads to, or ask its admins, if that is how it is."""
        group = self._groups.links.find(code)
        self._groups.use_link(group, self._account)
        return group

    def accept(self, group: str | Jid, code: str) -> None:
        """Enter a group by an invitation that was sent to this account."""
        invited = self._at(group)
        check_invitation(invited, self._account, code)
        self._groups.join(invited, self._account)

    def approve(self, group: str | Jid, members: Iterable[str | Jid]) -> Results:
        """Let in who waits for it; as `remove`."""
        asking = self._lids(members)
        return self._groups.decide(self._at(group), self._account, asking, approve=True)

    def reject(self, group: str | Jid, members: Iterable[str | Jid]) -> Results:
        """Do not let in who waits for it; as `remove`."""
        asking = self._lids(members)
        return self._groups.decide(self._at(group), self._account, asking, approve=False)

    def let_admins_approve(self, group: str | Jid, *, only: bool) -> None:
        """Let who uses the link wait for an admin, or enter at once."""
        settings.let_admins_approve(self._at(group), self._account, only=only)

    def let_contacts_add(self, *, only: bool) -> None:
        """Let only contacts add this account to groups, or everybody."""
        self._account.contacts_add = only

    def rename(self, group: str | Jid, subject: str) -> None:
        """Change a group's name."""
        settings.rename(self._at(group), self._account, subject)

    def describe(self, group: str | Jid, text: str) -> None:
        """Say what a group is about; an empty text takes that back."""
        settings.describe(self._at(group), self._account, text)

    def set_picture(self, group: str | Jid, picture: bytes) -> None:
        """Change a group's picture (a JPEG), or with no bytes take it away."""
        settings.set_picture(self._at(group), self._account, picture)

    def set_timer(self, group: str | Jid, seconds: int) -> None:
        """Let messages disappear after a time, or (0) never."""
        settings.set_timer(self._at(group), self._account, seconds)

    def let_admins_write(self, group: str | Jid, *, only: bool) -> None:
        """Let only admins write, or everybody."""
        settings.let_admins_write(self._at(group), self._account, only=only)

    def let_admins_edit(self, group: str | Jid, *, only: bool) -> None:
        """Let only admins change subject, description and timer, or everybody."""
        settings.let_admins_edit(self._at(group), self._account, only=only)

    def _at(self, group: str | Jid) -> Group:
        return self._groups.get(address_of(group))

    def _lids(self, people: Iterable[str | Jid]) -> list[Jid]:
        return [self._addresses.find(one).lid for one in people]
