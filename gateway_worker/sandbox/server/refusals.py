"""Queries that a script wants refused, and what the companion gets instead of an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.hub.faults import QueryRefusal, RefusalShape
from gateway_worker.sandbox.server.stanzas import error, problem
from gateway_worker.sandbox.wire.jid import Jid, lid, pn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway_worker.sandbox.hub.accounts import Accounts
    from gateway_worker.sandbox.wire.node import Node

TEXTS: Final = {
    400: "bad-request",
    401: "not-authorized",
    403: "forbidden",
    404: "item-not-found",
    405: "not-allowed",
    406: "not-acceptable",
    410: "gone",
    419: "resource-limit",
    423: "locked",
    429: "rate-overlimit",
    500: "internal-server-error",
    501: "feature-not-implemented",
    503: "service-unavailable",
    530: "partial-server-error",
}
"""The words that the service has for its codes."""


def fits(refusal: QueryRefusal, query: Node, accounts: Accounts) -> bool:
    """Whether a query is of the kind, and about whom it is meant for."""
    namespace, _, word = refusal.query.partition("/")
    if query.get("xmlns") != namespace or (word and word not in _words(query)):
        return False
    about = _names(refusal, accounts)
    return about is None or not about.isdisjoint(_named(query))


def whole(refusal: QueryRefusal, query: Node) -> Node:
    """The error in the place of an answer."""
    return error(query, refusal.status, _text(refusal), backoff_seconds=refusal.backoff_seconds)


def in_part(refusal: QueryRefusal, reply: Node, accounts: Accounts) -> Node:
    """An answer in which what was asked about some users is missing or an error."""
    return _changed(refusal, reply, _names(refusal, accounts))


def _changed(refusal: QueryRefusal, node: Node, about: frozenset[str] | None) -> Node:
    children = []
    for child in node.children:
        if child.tag != "user":
            children.append(_changed(refusal, child, about))
        elif about is not None and about.isdisjoint(_named(child)):
            children.append(child)
        elif refusal.shape is RefusalShape.EACH:
            children.append(_refused(refusal, child))
    return replace(node, content=tuple(children)) if node.children else node


def _refused(refusal: QueryRefusal, user: Node) -> Node:
    trouble = problem(refusal.status, _text(refusal), backoff_seconds=refusal.backoff_seconds)
    if not refusal.query.startswith("usync"):
        return replace(user, content=(trouble,))
    # A look-up answers each thing that it was asked by itself.
    answers = tuple(replace(one, attrs={}, content=(trouble,)) for one in user.children)
    return replace(user, content=answers)


def _text(refusal: QueryRefusal) -> str:
    return TEXTS.get(refusal.status, "error")


def _names(refusal: QueryRefusal, accounts: Accounts) -> frozenset[str] | None:
    about = refusal.about
    if about is None:
        return None
    account = accounts.find(pn(about)) or accounts.find(lid(about))
    known = () if account is None else (account.number.user, account.lid.user)
    return frozenset((about, *known))


def _words(node: Node) -> Iterator[str]:
    for child in node.children:
        yield child.tag
        yield from (str(child.attrs[name]) for name in ("mode", "context") if name in child.attrs)
        yield from _words(child)


def _named(node: Node) -> Iterator[str]:
    for value in node.attrs.values():
        if isinstance(value, Jid) and value.user:
            yield value.user
    if node.tag == "contact" and isinstance(node.content, bytes):
        yield node.content.decode(errors="replace").partition("@")[0].lstrip("+")
    for child in node.children:
        yield from _named(child)
