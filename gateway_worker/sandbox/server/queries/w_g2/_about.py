"""What queries about one group share: finding it, and saying no."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Final, Protocol

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.stanzas import error, result
from gateway_worker.sandbox.service.errors import GroupRefusedError
from gateway_worker.sandbox.service.groups.elements import member_element
from gateway_worker.sandbox.service.groups.group import FORBIDDEN
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway_worker.sandbox.server.queries.answers import Query
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.accounts import Account, Accounts
    from gateway_worker.sandbox.service.groups.group import Group
    from gateway_worker.sandbox.service.groups.groups import Groups, Results
    from gateway_worker.sandbox.wire.jid import Jid

XMLNS: Final = "w:g2"


class GroupQuery(Protocol):
    """What is asked of a group; `asked` is the child that names the request."""

    def __call__(self, session: DeviceSession, group: Group, asked: Node, /) -> tuple[Node, ...]:
        """Do it and return what the answer holds.

        Raises:
            GroupRefusedError: it cannot be done.
        """


class MembersChange(Protocol):
    """What `Groups` does with members."""

    def __call__(
        self, groups: Groups, /, group: Group, actor: Account, members: Iterator[Jid]
    ) -> Results:
        """Do it and say what became of each address."""


def about_group(kind: str, child: str, run: GroupQuery) -> Answer:
    """List what answers a query to the address of a group."""

    def answer(session: DeviceSession, query: Node) -> Node:
        group = session.service.groups.get(query.require_jid("to"))
        return result(query, *run(session, group, query.require_child(child)))

    return Answer(xmlns=XMLNS, type=kind, child=child, run=or_refusal(answer))


def or_refusal(run: Query) -> Query:
    """Answer with an error what a group refuses."""

    @wraps(run)
    def answer(session: DeviceSession, query: Node) -> Node | None:
        try:
            return run(session, query)
        except GroupRefusedError as refused:
            return error(query, refused.code, refused.text)

    return answer


def members_change(tag: str, change: MembersChange) -> Answer:
    """List what answers a query that changes the members that it names."""

    def run(session: DeviceSession, group: Group, asked: Node) -> tuple[Node, ...]:
        results = change(session.service.groups, group, session.account, members_in(asked))
        elements = result_elements(results, group, session.service.accounts)
        return (Node(tag, {}, elements),)

    return about_group("set", tag, run)


def members_in(asked: Node) -> Iterator[Jid]:
    """Yield the addresses that a query names."""
    return (one.require_jid("jid") for one in asked.all("participant"))


def result_elements(results: Results, group: Group, accounts: Accounts) -> tuple[Node, ...]:
    """Write what became of each address; one that nobody has stays as it was asked.

    Who may not be added by others comes with an invitation that can be sent.
    """
    return tuple(
        _result_element(address, code, group, accounts.find(address))
        for address, code in results.items()
    )


def _result_element(address: Jid, code: int, group: Group, account: Account | None) -> Node:
    element = Node("participant", {"jid": address}) if account is None else member_element(account)
    if not code:
        return element
    attrs: Attrs = {**element.attrs, "error": str(code)}
    invitation = group.invitations.get(account) if account is not None else None
    if code != FORBIDDEN or invitation is None:
        return Node(element.tag, attrs)
    request: Attrs = {"code": invitation.code, "expiration": str(invitation.expires_at)}
    return Node(element.tag, attrs, (Node("add_request", request),))
