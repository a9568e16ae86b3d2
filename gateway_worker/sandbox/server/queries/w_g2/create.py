"""The companion makes a group."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.queries.w_g2._about import (
    XMLNS,
    members_in,
    or_refusal,
    result_elements,
)
from gateway_worker.sandbox.server.stanzas import result
from gateway_worker.sandbox.service.groups.elements import group_element
from gateway_worker.sandbox.service.groups.group import MemberAddMode

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.wire.node import Node


def create(session: DeviceSession, query: Node) -> Node | None:
    """Make it; the answer has those who could not be added as well, each with an error."""
    asked = query.require_child("create")
    timer = asked.child("ephemeral")
    approval = asked.child("membership_approval_mode", "group_join")
    linked, groups = asked.child("linked_parent"), session.service.groups
    group, results = groups.create(
        session.account,
        asked.get("subject"),
        members_in(asked),
        ephemeral_seconds=int(timer.get("expiration", "0")) if timer else 0,
        add_mode=_add_mode(asked),
        admins_approve=approval is not None and approval.get("state") == "on",
        is_community=asked.child("parent") is not None,
        parent=None if linked is None else groups.get(linked.require_jid("jid")),
    )
    failed = {address: code for address, code in results.items() if code}
    element = group_element(group, viewer=session.account)
    errors = result_elements(failed, group, session.service.accounts)
    return result(query, replace(element, content=(*element.children, *errors)))


def _add_mode(asked: Node) -> MemberAddMode:
    mode = asked.child("member_add_mode")
    if mode is not None and mode.data.decode() == MemberAddMode.ADMINS:
        return MemberAddMode.ADMINS
    return MemberAddMode.EVERYBODY


ANSWERS: Final = (Answer(xmlns=XMLNS, type="set", child="create", run=or_refusal(create)),)
