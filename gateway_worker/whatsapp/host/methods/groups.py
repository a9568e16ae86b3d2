"""Groups, looked at."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.methods.groups import (
    GroupAnswer,
    ListGroups,
    ListJoinRequests,
    ListSubGroups,
    PreviewGroup,
    PreviewInvite,
    ReadGroup,
    ReadInviteLink,
)
from gateway_worker.whatsapp.convert.groups import details, join_request, member, page, sub_group
from gateway_worker.whatsapp.convert.people import People, address
from gateway_worker.whatsapp.convert.recipients import recipient
from gateway_worker.whatsapp.host.jids import parse_jid
from gateway_worker.whatsapp.host.methods.run import Run, Tools, ask

_GROUP: Final = "the look-up of the group"
_PREVIEWED: Final = 100
"""Members of a group that the account is not in."""


def info(tools: Tools, _request: Request, call: ReadGroup) -> GroupAnswer:
    """Return a group and a page of its members."""
    client = tools.library.client
    return _group(tools, lambda: client.get_group_info(parse_jid(call.group)), call)


def preview(tools: Tools, _request: Request, call: PreviewGroup) -> GroupAnswer:
    """Return the group that a link leads to."""
    client = tools.library.client
    return _group(tools, lambda: client.get_group_info_from_link(call.code))


def preview_invite(tools: Tools, _request: Request, call: PreviewInvite) -> GroupAnswer:
    """Return the group that an invitation leads to."""
    library = tools.library
    inviter = parse_jid(library.member(recipient(call.inviter)))
    return _group(
        tools,
        lambda: library.client.get_group_info_from_invite(
            parse_jid(call.group), inviter, call.code, call.expires_at
        ),
    )


def listed(tools: Tools, _request: Request, call: ListGroups) -> GroupAnswer:
    """Return a page of the account's groups; in an order that stays the same."""
    people = People(phone_of=tools.library.phone_of)
    started = time.monotonic()
    found = ask(tools.library.client.get_joined_groups, "the list of groups")
    seconds = time.monotonic() - started
    shown, following = page(
        sorted(found, key=lambda group: address(group.JID)),
        call.first,
        call.most,
        lambda group: details(group, people, is_listed=True),
    )
    return GroupAnswer(data={"groups": shown}, following=following, seconds=seconds)


def requests(tools: Tools, _request: Request, call: ListJoinRequests) -> GroupAnswer:
    """Return a page of those who want to enter a group."""
    people, group = People(phone_of=tools.library.phone_of), parse_jid(call.group)
    started = time.monotonic()
    found = ask(
        lambda: tools.library.client.get_group_request_participants(group),
        "the list of who wants to enter the group",
    )
    seconds = time.monotonic() - started
    shown, following = page(found, call.first, call.most, lambda one: join_request(one, people))
    return GroupAnswer(data={"requests": shown}, following=following, seconds=seconds)


def sub_groups(tools: Tools, _request: Request, call: ListSubGroups) -> GroupAnswer:
    """Return a page of a community's groups."""
    community = parse_jid(call.community)
    started = time.monotonic()
    found = ask(
        lambda: tools.library.client.get_sub_groups(community), "the list of the community's groups"
    )
    seconds = time.monotonic() - started
    shown, following = page(found, call.first, call.most, sub_group)
    return GroupAnswer(data={"groups": shown}, following=following, seconds=seconds)


def invite_link(tools: Tools, _request: Request, call: ReadInviteLink) -> GroupAnswer:
    """Return a group's link, or another one in its place."""
    client, group = tools.library.client, parse_jid(call.group)
    started = time.monotonic()
    link = ask(
        lambda: client.get_group_invite_link(group, call.revoke), "the query for the group's link"
    )
    return GroupAnswer(data={"link": link}, seconds=time.monotonic() - started)


def _group(tools: Tools, question: Callable[[], Any], call: ReadGroup | None = None) -> GroupAnswer:
    people = People(phone_of=tools.library.phone_of)
    started = time.monotonic()
    found = ask(question, _GROUP)
    seconds = time.monotonic() - started
    first, most = (0, _PREVIEWED) if call is None else (call.first, call.most)
    shown, following = page(found.Participants, first, most, lambda one: member(one, people))
    data = {"group": details(found, people), "members": shown}
    return GroupAnswer(data=data, following=None if call is None else following, seconds=seconds)


RUNS: Final[Mapping[type[Any], Run]] = {
    ReadGroup: info,
    PreviewGroup: preview,
    PreviewInvite: preview_invite,
    ListGroups: listed,
    ListJoinRequests: requests,
    ListSubGroups: sub_groups,
    ReadInviteLink: invite_link,
}
