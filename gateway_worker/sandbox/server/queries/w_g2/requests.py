"""Who waits to be let into a group, and what its admins decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.w_g2._about import (
    about_group,
    members_in,
    result_elements,
)
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.groups.group import Group


LIST: Final = "membership_approval_requests"
ACTION: Final = "membership_requests_action"
APPROVE, REJECT = "approve", "reject"


def waiting(session: DeviceSession, group: Group, _asked: Node) -> tuple[Node, ...]:
    """Return who waits, and since when."""
    group.require_admin(session.account)
    requests = tuple(
        Node("membership_approval_request", {"jid": account.lid, "request_time": str(since)})
        for account, since in group.requests.items()
    )
    return (Node(LIST, {}, requests),)


def decide(session: DeviceSession, group: Group, asked: Node) -> tuple[Node, ...]:
    """Let them in, or not."""
    tag = APPROVE if asked.child(APPROVE) is not None else REJECT
    members = members_in(asked.require_child(tag))
    groups, accounts = session.service.groups, session.service.accounts
    results = groups.decide(group, session.account, members, approve=tag == APPROVE)
    return (Node(ACTION, {}, (Node(tag, {}, result_elements(results, group, accounts)),)),)


ANSWERS: Final = (about_group("get", LIST, waiting), about_group("set", ACTION, decide))
