"""Ways into a group by one's own doing: its link, and an invitation that was sent to one account.

Who lets only contacts add it is not added by others: the service gives them an invitation for it
instead, which they send in a message.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.service.errors import GroupRefusedError

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.groups.group import Group
    from gateway_worker.sandbox.service.groups.groups import Groups

NOT_AUTHORIZED: Final = 401
NOT_ACCEPTABLE: Final = 406
GONE: Final = 410
_CODE_BYTES: Final = 16
_VALID_SECONDS: Final = 3 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What lets one account into a group.

    Attributes:
        code: known to who was invited.
        expires_at: seconds since the epoch.
    """

    code: str
    expires_at: int


def invite(group: Group, account: Account) -> Invitation:
    """Make an invitation for an account; an earlier one is worth nothing any more."""
    expires_at = int(time.time()) + _VALID_SECONDS
    invitation = Invitation(code=_new_code(), expires_at=expires_at)
    group.invitations[account] = invitation
    return invitation


def check_invitation(group: Group, account: Account, code: str) -> None:
    """Let only who was invited through.

    Raises:
        GroupRefusedError: 406: it was not, or has used its invitation. 410: it is too old.
    """
    invitation = group.invitations.get(account)
    if invitation is None or invitation.code != code:
        raise GroupRefusedError(NOT_ACCEPTABLE, "not-acceptable")
    if time.time() > invitation.expires_at:
        raise GroupRefusedError(GONE, "gone")


class Links:
    """The codes of groups' links, also of those that are revoked."""

    def __init__(self, *, groups: Groups) -> None:
        """Start with none."""
        self._groups = groups
        self._codes: dict[Group, str] = {}
        self._known: dict[str, Group] = {}

    def code(self, group: Group, actor: Account) -> str:
        """Return the code of a group's link.

        Raises:
            GroupRefusedError: 403: the actor is no member, 401: and no admin.
        """
        group.require_member(actor)
        if not group.is_admin(actor):
            raise GroupRefusedError(NOT_AUTHORIZED, "not-authorized")
        if group not in self._codes:
            return self._draw(group)
        return self._codes[group]

    def renew(self, group: Group, actor: Account) -> str:
        """Revoke a group's link and return the code of the new one; raises as `code`."""
        self.code(group, actor)
        code = self._draw(group)
        self._groups.tell_new_link(group, actor, code)
        return code

    def find(self, code: str) -> Group:
        """Return the group that a link leads to.

        Raises:
            GroupRefusedError: 410: the link is revoked. 406: there is no such link.
        """
        group = self._known.get(code)
        if group is None:
            raise GroupRefusedError(NOT_ACCEPTABLE, "not-acceptable")
        if self._codes[group] != code:
            raise GroupRefusedError(GONE, "gone")
        return group

    def _draw(self, group: Group) -> str:
        code = self._codes[group] = _new_code()
        self._known[code] = group
        return code


def _new_code() -> str:
    return secrets.token_urlsafe(_CODE_BYTES)
