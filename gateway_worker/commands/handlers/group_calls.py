"""What requests about groups have in common: places in lists, links, invitations and people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from gateway_contracts import GroupInviteToSend, MemberResult
from gateway_worker.errors import InvalidCommandError
from gateway_worker.runtime import cursors

_MOST_PLACES: Final = 1 << 30
"""Above any list, and what a frame to a host can say."""
_AFTER_CODE: Final = ("?", "#")
_NAME_CHARACTERS: Final = 255
"""Of a group's name in an invitation."""


class Invite(Protocol):
    """An invitation as a command names it."""

    @property
    def group(self) -> str:
        """Where to."""
        ...

    @property
    def inviter(self) -> str:
        """Who has sent it."""
        ...

    @property
    def code(self) -> str:
        """What it says."""
        ...

    @property
    def expires_at(self) -> datetime | None:
        """Until when it is valid, if it says so."""
        ...


def first_of(cursor: str | None) -> int:
    """Return the place in a list that a cursor names.

    Raises:
        InvalidCommandError: It is none that was given out.
    """
    if cursor is None:
        return 0
    (place,) = cursors.given(cursor, int)
    if not 0 <= place < _MOST_PLACES:
        raise InvalidCommandError("the cursor is no place in a list", pointer="/data/cursor")
    return int(place)


def cursor_of(place: int | None) -> str | None:
    """Return what names a place in a list."""
    return None if place is None else cursors.encode((place,))


def code_of(link: str) -> str:
    """Return the code of a link to a group."""
    for mark in _AFTER_CODE:
        link = link.partition(mark)[0]
    return link.rpartition("/")[2]


def invite_of(invite: Invite) -> dict[str, Any]:
    """Return an invitation as a host is told of it."""
    expires_at = invite.expires_at
    return {
        "group": invite.group,
        "inviter": invite.inviter.removeprefix("+"),
        "code": invite.code,
        "expires_at": 0 if expires_at is None else int(expires_at.timestamp()),
    }


def people_of(people: Sequence[str]) -> tuple[str, ...]:
    """Return people as a host is told of them."""
    return tuple(one.removeprefix("+") for one in people)


def results_of(
    members: Sequence[str], outcomes: Sequence[dict[str, Any]], *, group: str, name: str
) -> tuple[MemberResult, ...]:
    """Return what became of people whom a command names, in its order.

    Args:
        members: As the command names them.
        outcomes: What the host says of each.
        group: Which group.
        name: What it is called, for the invitations that can be sent.
    """
    return tuple(
        MemberResult.model_validate(
            {**outcome, "member": member, "invite": _offer(outcome, group, name)}
        )
        for member, outcome in zip(members, outcomes, strict=True)
    )


def _offer(outcome: dict[str, Any], group: str, name: str) -> GroupInviteToSend | None:
    invite = outcome.get("invite")
    if invite is None:
        return None
    return GroupInviteToSend.model_validate(
        {"group": group, "group_name": name[:_NAME_CHARACTERS], **invite}
    )
