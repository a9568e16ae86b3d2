"""How members are told of a change: every companion of every member, the actor's too.

Phones look at the group itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.service.groups.elements import group_element
from gateway_worker.sandbox.service.pushing import push
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.groups.group import Group


def tell(group: Group, actor: Account, change: Node, *, to: Iterable[Account]) -> None:
    """Tell accounts of a change that somebody made."""
    attrs: Attrs = {
        "type": "w:gp2",
        "from": group.jid,
        "participant": actor.lid,
        "notify": actor.push_name,
        "addressing_mode": "lid",
    }
    if not actor.hides_number:
        attrs["participant_pn"] = actor.number
    for account in to:
        for companion in account.companions:
            push(companion, Node("notification", dict(attrs), (change,)))


def tell_members(group: Group, actor: Account, change: Node) -> None:
    """Tell all members of a change."""
    tell(group, actor, change, to=group.members)


def tell_newcomers(
    group: Group,
    actor: Account,
    newcomers: Iterable[Account],
    *,
    kind: str = "",
    reason: str = "",
) -> None:
    """Tell accounts that they are in a group now, and what group that is.

    Args:
        group: which.
        actor: who made it or added them.
        newcomers: who is told.
        kind: `new` for a group that was just made.
        reason: `invite` for who has come by an invitation.
    """
    for account in newcomers:
        attrs: Attrs = {"type": kind} if kind else {}
        if reason:
            attrs["reason"] = reason
        create = Node("create", attrs, (group_element(group, viewer=account),))
        tell(group, actor, create, to=(account,))
