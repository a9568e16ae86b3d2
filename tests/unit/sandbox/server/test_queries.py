"""Which module answers which query."""

from __future__ import annotations

import pytest

from gateway_worker.sandbox.server.queries.answers import ANY, Answer, accept
from gateway_worker.sandbox.server.queries.table import QueryTable, listed, query_table
from gateway_worker.sandbox.server.unknown import UnknownQueries, UnknownQuery
from gateway_worker.sandbox.wire.node import Node


def query(xmlns: str, kind: str, *children: str) -> Node:
    """Return a query that holds empty elements."""
    attrs = {"xmlns": xmlns, "type": kind, "id": "1"}
    return Node("iq", dict(attrs), tuple(map(Node, children)) or None)


def test_every_module_answers_queries_of_its_folder() -> None:
    """A folder is named after the namespace that its modules answer."""
    for name, answers in listed().items():
        folder = name.partition(".")[0]
        assert answers, name
        assert {answer.xmlns.replace(":", "_") for answer in answers} == {folder}
        assert {answer.type for answer in answers} <= {"get", "set"}


@pytest.mark.parametrize(
    "known",
    [
        query("encrypt", "get", "count"),
        query("encrypt", "get", "digest"),
        query("encrypt", "get", "key"),
        query("encrypt", "set", "registration", "type", "identity", "list", "skey"),
        query("encrypt", "set", "rotate"),
        query("usync", "get", "usync"),
        query("passive", "set", "active"),
        query("passive", "set", "passive"),
        query("w:p", "get"),
        query("w:m", "set", "media_conn"),
        query("w:mex", "get", "query"),
        query("md", "set", "remove-companion-device"),
        query("privacy", "get"),
        query("privacy", "set", "tokens"),
        query("privacy", "set", "privacy"),
        query("blocklist", "get"),
        query("blocklist", "set", "item"),
        query("w:sync:app:state", "set", "sync"),
        query("w:profile:picture", "get", "picture"),
        query("w:profile:picture", "set", "picture"),
        query("w:qr", "get", "qr"),
        query("w:qr", "set", "qr"),
        query("disappearing_mode", "set", "disappearing_mode"),
        query("w", "get", "props"),
        query("abt", "get", "props"),
        query("urn:xmpp:whatsapp:dirty", "set", "clean"),
        query("urn:xmpp:whatsapp:push", "set", "config"),
        query("w:stats", "set", "add"),
        query("w:g2", "get", "query"),
        query("w:g2", "get", "participating"),
        query("w:g2", "get", "invite"),
        query("w:g2", "set", "invite"),
        query("w:g2", "set", "accept"),
        query("w:g2", "get", "membership_approval_requests"),
        query("w:g2", "set", "membership_requests_action"),
        query("w:g2", "set", "create"),
        query("w:g2", "set", "add"),
        query("w:g2", "set", "remove"),
        query("w:g2", "set", "promote"),
        query("w:g2", "set", "demote"),
        query("w:g2", "set", "leave"),
        query("w:g2", "set", "subject"),
        query("w:g2", "set", "description"),
        query("w:g2", "set", "announcement"),
        query("w:g2", "set", "unlocked"),
        query("w:g2", "set", "not_ephemeral"),
        query("status", "get", "privacy"),
    ],
    ids=lambda node: "/".join(
        (node.get("xmlns"), node.get("type"), *(c.tag for c in node.children))
    ),
)
def test_what_clients_ask_is_answered(known: Node) -> None:
    """Each of the queries that a client cannot do without."""
    assert query_table().find(known) is not None


@pytest.mark.parametrize(
    "unknown", [query("w:g2", "set", "other"), query("md", "set", "other"), query("w:p", "set")]
)
def test_what_is_unknown_is_refused_and_counted(unknown: Node) -> None:
    """With 501: a client waits 75 s for silence."""
    refused = UnknownQueries()

    assert query_table().find(unknown) is None
    answer = refused.refuse(unknown)

    assert answer.get("type") == "error"
    assert answer.require_child("error").get("code") == "501"
    child = unknown.children[0].tag if unknown.children else ""
    kind = UnknownQuery(unknown.get("xmlns"), unknown.get("type"), child)
    assert refused.seen == {kind: 1}


def test_a_child_of_its_own_comes_before_any() -> None:
    """Also when it is not the first child."""

    def special(_session: object, _query: Node) -> Node | None:
        return None

    table = QueryTable(
        (
            Answer(xmlns="x", type="get", child=ANY, run=accept),
            Answer(xmlns="x", type="get", child="special", run=special),
        )
    )

    assert table.find(query("x", "get", "first", "special")) is special
    assert table.find(query("x", "get", "first")) is accept
    assert table.find(query("x", "get")) is accept


def test_two_answers_to_one_query_are_a_mistake() -> None:
    """Told when the table is made, not by one of them never running."""
    answer = Answer(xmlns="x", type="get", child="y", run=accept)

    with pytest.raises(ValueError, match="two answers"):
        QueryTable((answer, answer))
