"""Queries that a script wants refused, and what the companion gets instead of an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.stanzas import error, problem
from gateway_worker.sandbox.service.fault_rules import Error
from gateway_worker.sandbox.service.faults import RefusalShape
from gateway_worker.sandbox.service.matching import named_in, names

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Accounts
    from gateway_worker.sandbox.service.fault_rules import Rule
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


def is_whole(rule: Rule) -> bool:
    """Whether an error stands in the place of the answer."""
    return _error(rule).shape is RefusalShape.WHOLE


def whole(rule: Rule, query: Node) -> Node:
    """The error in the place of an answer."""
    refusal = _error(rule)
    return error(query, refusal.code, _text(refusal), backoff_seconds=refusal.backoff_seconds)


def in_part(rule: Rule, reply: Node, accounts: Accounts) -> Node:
    """An answer in which what was asked about some users is missing or an error."""
    return _changed(rule, reply, names(rule.match.about, accounts))


def _changed(rule: Rule, node: Node, about: frozenset[str] | None) -> Node:
    children = []
    for child in node.children:
        if child.tag != "user":
            children.append(_changed(rule, child, about))
        elif about is not None and about.isdisjoint(named_in(child)):
            children.append(child)
        elif _error(rule).shape is RefusalShape.EACH:
            children.append(_refused(rule, child))
    return replace(node, content=tuple(children)) if node.children else node


def _refused(rule: Rule, user: Node) -> Node:
    refusal = _error(rule)
    trouble = problem(refusal.code, _text(refusal), backoff_seconds=refusal.backoff_seconds)
    if not (rule.match.query or "").startswith("usync"):
        return replace(user, content=(trouble,))
    # A look-up answers each thing that it was asked by itself.
    answers = tuple(replace(one, attrs={}, content=(trouble,)) for one in user.children)
    return replace(user, content=answers)


def _error(rule: Rule) -> Error:
    assert isinstance(rule.effect, Error)
    return rule.effect


def _text(refusal: Error) -> str:
    return TEXTS.get(refusal.code, "error")
