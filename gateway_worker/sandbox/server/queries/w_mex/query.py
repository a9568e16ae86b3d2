"""The queries of this namespace, by their numbers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.queries.w_mex import _channels
from gateway_worker.sandbox.server.queries.w_mex._refusal import RefusedError
from gateway_worker.sandbox.server.stanzas import error, result
from gateway_worker.sandbox.service.reachout import timelock_fields
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway_worker.sandbox.server.session import DeviceSession

NOT_IMPLEMENTED: Final = 501


def answer(session: DeviceSession, query: Node) -> Node | None:
    """Answer what is known, and refuse the rest."""
    asked = query.require_child("query")
    find = _BY_NUMBER.get(asked.get("query_id"))
    if find is None:
        return error(query, NOT_IMPLEMENTED, "feature-not-implemented")
    variables = json.loads(asked.data or b"{}").get("variables") or {}
    try:
        body: dict[str, Any] = {"data": find(session, variables)}
    except RefusedError as refused:
        body = refused.body
    return result(query, Node("result", {}, json.dumps(body).encode()))


def _timelock(session: DeviceSession, _variables: dict[str, Any]) -> dict[str, Any]:
    return {"xwa2_fetch_account_reachout_timelock": timelock_fields(session.account)}


def _about(session: DeviceSession, variables: dict[str, Any]) -> dict[str, Any]:
    session.account.profile.about = str(variables["input"]["text"])
    return {}


_BY_NUMBER: Final[Mapping[str, Callable[[DeviceSession, dict[str, Any]], dict[str, Any]]]] = {
    "23983697327930364": _timelock,
    "9152604461510864": _about,
    **_channels.BY_NUMBER,
}

ANSWERS: Final = (Answer(xmlns="w:mex", type="get", child="query", run=answer),)
