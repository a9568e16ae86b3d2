"""Whether a stanza is one that a rule is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.wire.jid import Jid, lid, pn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway_worker.sandbox.service.accounts import Accounts
    from gateway_worker.sandbox.service.fault_rules import Match
    from gateway_worker.sandbox.wire.node import Node


def matches(match: Match, stanza: Node | None, accounts: Accounts) -> bool:
    """Tell whether a stanza fits; without one, only what asks for nothing does."""
    if stanza is None:
        asked = (match.query, match.about, match.attrs, match.has, match.lacks)
        return not any(asked)
    if any(stanza.get(name) != value for name, value in match.attrs.items()):
        return False
    held = {child.tag for child in stanza.children} if match.has or match.lacks else set()
    if not held.issuperset(match.has) or not held.isdisjoint(match.lacks):
        return False
    if match.query is not None and not _is_query(match.query, stanza):
        return False
    about = names(match.about, accounts)
    return about is None or not about.isdisjoint(_named(stanza))


def names(about: str | None, accounts: Accounts) -> frozenset[str] | None:
    """Return all digits that mean the one that a rule is about; None when it is about everyone."""
    if about is None:
        return None
    account = accounts.find(pn(about)) or accounts.find(lid(about))
    known = () if account is None else (account.number.user, account.lid.user)
    return frozenset((about, *known))


def named_in(query: Node) -> Iterator[str]:
    """Yield the digits of everyone that a query, or a part of it or of its answer, names."""
    for value in query.attrs.values():
        if isinstance(value, Jid) and value.user:
            yield value.user
    if query.tag == "contact" and isinstance(query.content, bytes):
        yield query.content.decode(errors="replace").partition("@")[0].lstrip("+")
    for child in query.children:
        yield from named_in(child)


def _named(stanza: Node) -> Iterator[str]:
    if stanza.tag == "iq":
        yield from named_in(stanza)
        return
    # Below a message stand all devices that it goes to, the sender's own among them.
    for name in ("to", "from", "recipient", "participant"):
        value = stanza.attrs.get(name)
        if isinstance(value, Jid) and value.user:
            yield value.user


def _is_query(query: str, stanza: Node) -> bool:
    namespace, _, word = query.partition("/")
    return stanza.get("xmlns") == namespace and (not word or word in _words(stanza))


def _words(node: Node) -> Iterator[str]:
    for child in node.children:
        yield child.tag
        yield from (str(child.attrs[name]) for name in ("mode", "context") if name in child.attrs)
        yield from _words(child)
