"""Communities of the service, and pictures of groups: what is allowed, and who is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.service.errors import GroupRefusedError
from gateway_worker.sandbox.service.groups import communities, settings
from gateway_worker.sandbox.service.groups.elements import group_element
from tests.unit.sandbox.service.conftest import BOB, EVE
from tests.unit.sandbox.service.test_groups import Three, code_of
from tests.unit.sandbox.service.test_groups import three as three  # noqa: PLC0414 - a fixture

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.groups.group import Group

JPEG = b"\xff\xd8\xff\xe0"


def community_of(three: Three) -> Group:
    """Let Ann make a community with Bob."""
    return three.groups.create(three.ann, "All", [BOB], is_community=True)[0]


def test_a_community_has_a_group_for_announcements(three: Three) -> None:
    """Its members are in both, and only admins write there."""
    community = community_of(three)
    (announcements,) = communities.sub_groups(three.groups, community, three.bob)
    assert announcements.is_announcements
    assert announcements.admins_write
    assert announcements.members == community.members
    element = group_element(announcements, viewer=three.bob)
    assert element.require_child("linked_parent").jid("jid") == community.jid
    assert element.child("default_sub_group") is not None
    assert group_element(community, viewer=three.bob).child("parent") is not None


def test_groups_are_linked_and_unlinked(three: Three) -> None:
    """By an admin of both; the members of both are told."""
    community = community_of(three)
    three.told(three.bob)
    communities.link(community, three.group, three.ann)
    assert three.group in communities.sub_groups(three.groups, community, three.ann)
    assert [
        (note.jid("from"), note.require_child("link").get("link_type"))
        for note in three.told(three.bob)
    ] == [(community.jid, "sub_group"), (three.group.jid, "parent_group")]
    with pytest.raises(GroupRefusedError) as twice:
        communities.link(community, three.group, three.ann)
    assert code_of(twice) == 409

    communities.unlink(community, three.group, three.ann)
    assert three.group not in communities.sub_groups(three.groups, community, three.ann)
    assert [note.require_child("unlink").get("unlink_type") for note in three.told(three.bob)] == [
        "sub_group",
        "parent_group",
    ]
    with pytest.raises(GroupRefusedError) as again:
        communities.unlink(community, three.group, three.ann)
    assert code_of(again) == 404


def test_what_communities_refuse(three: Three) -> None:
    """Who is no admin, what is no community, and what is one itself."""
    community, bobs = community_of(three), three.groups.create(three.bob, "Bob's", [EVE])[0]
    for what, code in (
        (lambda: communities.link(community, bobs, three.ann), 403),
        (lambda: communities.link(community, bobs, three.bob), 403),
        (lambda: communities.link(three.group, bobs, three.ann), 406),
        (lambda: communities.link(community, community, three.ann), 406),
        (lambda: communities.sub_groups(three.groups, three.group, three.ann), 406),
        (lambda: communities.sub_groups(three.groups, community, three.eve), 403),
        (lambda: three.groups.create(three.bob, "Mine", parent=community), 403),
        (lambda: three.groups.create(three.ann, "Mine", parent=three.group), 406),
    ):
        with pytest.raises(GroupRefusedError) as refused:
            what()
        assert code_of(refused) == code


def test_a_picture_of_a_group(three: Three) -> None:
    """Every member is told that there is another one, or none any more."""
    three.told(three.bob)
    first = settings.set_picture(three.group, three.bob, JPEG)
    assert (three.group.picture, three.group.picture_id) == (JPEG, first)
    assert settings.set_picture(three.group, three.bob, b"") == ""
    notes = three.told(three.bob)
    assert [note.get("type") for note in notes] == ["picture", "picture"]
    assert [child.tag for note in notes for child in note.children] == ["set", "delete"]
    for actor, picture, code in ((three.eve, JPEG, 403), (three.bob, b"GIF89a", 406)):
        with pytest.raises(GroupRefusedError) as refused:
            settings.set_picture(three.group, actor, picture)
        assert code_of(refused) == code
