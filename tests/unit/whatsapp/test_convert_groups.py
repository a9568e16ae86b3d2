"""Groups: from the library's messages to what backends are told."""

from typing import Any

import pytest

from gateway_contracts import (
    GroupAspect,
    GroupDetails,
    GroupJoinedData,
    GroupJoinRequestedData,
    GroupMember,
    GroupParticipantsData,
    GroupUpdatedData,
    JoinRequest,
    ParticipantsChange,
    SubGroup,
)
from gateway_worker.whatsapp.convert import group_news
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.groups import (
    details,
    join_request,
    member,
    outcomes,
    page,
    sub_group,
)
from gateway_worker.whatsapp.convert.people import People
from tests.support.arrivals import InboundNotice, through
from tests.unit.whatsapp.library_messages import LID, events, jid

PEOPLE = People(phone_of={"77": "4915500001"}.get)
BEN = "4915500001@s.whatsapp.net"
CLUB = "120363025550100001@g.us"
SECOND = 1_763_971_200


def club(**values: Any) -> Any:
    """Return a group as the library describes it."""
    group = events.GroupInfo(JID=jid("120363025550100001", "g.us"), GroupCreated=float(SECOND))
    group.OwnerJID.CopyFrom(jid("77", LID))
    group.GroupName.Name = "Club"
    for name, value in values.items():
        getattr(group, name).MergeFrom(value)
    return group


def change(**values: Any) -> Any:
    """Return what the library says of a change: somebody with a known LID has made it."""
    return events.GroupInfoEvent(
        JID=jid("120363025550100001", "g.us"),
        Sender=jid("77", LID),
        Timestamp=SECOND,
        ParticipantVersionID="v2",
        **values,
    )


def told(*arrivals: Arrival) -> list[Any]:
    """Return the data of the events that they become; they have to fit."""
    found = [through(arrival) for arrival in arrivals]
    assert all(isinstance(one, InboundNotice) for one in found)
    return [one.data for one in found if isinstance(one, InboundNotice)]


def test_a_group_in_all_its_parts() -> None:
    """And one of which hardly anything is known."""
    group = club(
        GroupTopic=events.GroupTopic(Topic="about us"),
        GroupLocked=events.GroupLocked(isLocked=True),
        GroupAnnounce=events.GroupAnnounce(IsAnnounce=True),
        GroupEphemeral=events.GroupEphemeral(IsEphemeral=True, DisappearingTimer=86_400),
        GroupLinkedParent=events.GroupLinkedParent(LinkedParentJID=jid("12036309", "g.us")),
        GroupIsDefaultSub=events.GroupIsDefaultSub(IsDefaultSubGroup=True),
    )
    found = GroupDetails.model_validate(details(group, PEOPLE))
    assert (found.group, found.name, found.owner) == (CLUB, "Club", BEN)
    assert (found.description, found.disappearing_seconds) == ("about us", 86_400)
    assert (found.locked, found.announce, found.is_announcements) == (True, True, True)
    assert (found.community, found.is_community) == ("12036309@g.us", False)
    assert found.created_at is not None
    assert abs(found.created_at.timestamp() - SECOND) <= 128
    assert "description" not in details(group, PEOPLE, is_listed=True)

    bare = GroupDetails.model_validate(details(events.GroupInfo(), PEOPLE))
    assert (bare.name, bare.owner, bare.created_at, bare.community) == ("", None, None, None)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        ({"IsAdmin": True, "IsSuperAdmin": True}, (BEN, "77@lid", "owner")),
        ({"IsAdmin": True, "LID": jid("88", LID)}, ("88@lid", "88@lid", "admin")),
        (
            {"LID": jid("88", LID), "PhoneNumber": jid("4915500002")},
            ("4915500002@s.whatsapp.net", "88@lid", "member"),
        ),
    ],
)
def test_members(one: dict[str, Any], expected: tuple[str, ...]) -> None:
    """By number, if that is told or known, and by LID."""
    participant = events.GroupParticipant(JID=jid("77", LID), **one)
    found = GroupMember.model_validate(member(participant, PEOPLE))
    assert (found.jid, found.lid, found.role.value) == expected


def test_what_became_of_people() -> None:
    """Whichever id WhatsApp answers with; who is not spoken of was refused."""
    request = events.GroupParticipantAddRequest(Code="abc", Expiration=float(SECOND))
    answered = [
        events.GroupParticipant(JID=jid("77", LID)),
        events.GroupParticipant(JID=jid("9"), LID=jid("88", LID), Error=403, AddRequest=request),
        events.GroupParticipant(JID=jid("4915500003"), Error=409),
        events.GroupParticipant(JID=jid("4915500004"), Error=404),
        events.GroupParticipant(JID=jid("4915500005"), Error=403),
        events.GroupParticipant(PhoneNumber=jid("4915500006"), Error=401),
    ]
    numbers = [f"491550000{digit}@s.whatsapp.net" for digit in range(3, 8)]
    found = outcomes(["77@lid", "88@lid", *numbers, None], answered)
    assert [one["outcome"] for one in found] == [
        "done",
        "invite_only",
        "unchanged",
        "not_found",
        "refused",
        "refused",
        "refused",
        "not_found",
    ]
    assert [one.get("status") for one in found] == [None, 403, 409, 404, 403, 401, None, None]
    assert found[1]["invite"]["code"] == "abc"
    assert found[1]["invite"]["expires_at"].startswith("2025-11-24T")


def test_requests_and_groups_of_communities() -> None:
    """The time of a request is in microseconds."""
    request = events.GroupParticipantRequest(Participant=jid("77", LID), TimeAt=SECOND * 1_000_000)
    found = JoinRequest.model_validate(join_request(request, PEOPLE))
    assert (found.participant.jid, found.participant.phone_number) == (BEN, "+4915500001")
    assert found.requested_at is not None
    assert found.requested_at.timestamp() == SECOND
    target = events.GroupLinkTarget(JID=jid("12036309", "g.us"))
    target.GroupName.Name = "Runners"
    group = SubGroup.model_validate(sub_group(target))
    assert (group.group, group.name, group.is_announcements) == ("12036309@g.us", "Runners", False)


def test_pages() -> None:
    """The last one leads nowhere, nor does one beyond it."""

    def pages(first: int) -> tuple[list[int], int | None]:
        shown, following = page([0, 1, 2, 3], first, 2, lambda one: {"n": one})
        return [one["n"] for one in shown], following

    assert [pages(first) for first in (0, 2, 3, 9)] == [
        ([0, 1], 2),
        ([2, 3], None),
        ([3], None),
        ([], None),
    ]


@pytest.mark.parametrize(
    ("values", "what", "expected"),
    [
        ({"Name": events.GroupName(Name="New")}, "name", {"name": "New"}),
        ({"Topic": events.GroupTopic(Topic="us")}, "description", {"description": "us"}),
        ({"Topic": events.GroupTopic(TopicDeleted=True)}, "description", {"description": None}),
        ({"Announce": events.GroupAnnounce(IsAnnounce=False)}, "announce", {"announce": False}),
        ({"Locked": events.GroupLocked(isLocked=True)}, "locked", {"locked": True}),
        (
            {"Ephemeral": events.GroupEphemeral(IsEphemeral=True, DisappearingTimer=60)},
            "timer",
            {"disappearing_seconds": 60},
        ),
        (
            {"Ephemeral": events.GroupEphemeral(IsEphemeral=False)},
            "timer",
            {"disappearing_seconds": None},
        ),
        (
            {"NewInviteLink": "abc"},
            "invite_link",
            {"invite_link": "https://chat.whatsapp.com/abc"},
        ),
        ({"Delete": events.GroupDelete(Deleted=True)}, "deleted", {"name": None}),
        (
            {"UnknownChanges": [events.Node(Tag="member_add_mode")]},
            "other",
            {"other": ("member_add_mode",)},
        ),
    ],
)
def test_what_a_group_is_changes(
    values: dict[str, Any], what: str, expected: dict[str, Any]
) -> None:
    """One thing, by somebody, at a time."""
    (data,) = told(*group_news.changed(change(**values), people=PEOPLE))
    assert isinstance(data, GroupUpdatedData)
    assert (data.chat, data.what) == (CLUB, (GroupAspect(what),))
    assert {name: getattr(data, name) for name in expected} == expected
    assert data.by is not None
    assert (data.by.jid, data.by.lid) == (BEN, "77@lid")
    assert data.timestamp is not None
    assert data.timestamp.timestamp() == SECOND
    assert not data.partial


def test_several_things_at_a_time() -> None:
    """People and the group itself are told apart; of what is empty nothing is told."""
    event = change(
        Join=[jid("88", LID)],
        Demote=[jid("77", LID)],
        JoinReason="invite",
        Name=events.GroupName(Name="New"),
        Locked=events.GroupLocked(isLocked=True),
    )
    joined, demoted, updated = told(*group_news.changed(event, people=PEOPLE))
    assert isinstance(joined, GroupParticipantsData)
    assert (joined.change, joined.members[0].jid) == (ParticipantsChange.JOINED, "88@lid")
    assert (joined.reason, joined.members_version) == ("invite", "v2")
    assert isinstance(demoted, GroupParticipantsData)
    assert (demoted.change, demoted.members[0].jid) == (ParticipantsChange.DEMOTED, BEN)
    assert (demoted.reason, demoted.is_me) == (None, False)
    assert isinstance(updated, GroupUpdatedData)
    assert updated.what == (GroupAspect.NAME, GroupAspect.LOCKED)
    assert group_news.changed(change(), people=PEOPLE) == ()


@pytest.mark.parametrize(
    ("tag", "withdrawn"),
    [("created_membership_requests", False), ("revoked_membership_requests", True)],
)
def test_who_wants_to_enter(*, tag: str, withdrawn: bool) -> None:
    """Whether they still do."""
    node = events.Node(Tag=tag)
    node.Attrs.add(name="request_method", text="invite_link")
    node.Nodes.add(Tag="requested_user").Attrs.add(name="jid", jid=jid("77", LID))
    (data,) = told(*group_news.changed(change(UnknownChanges=[node]), people=PEOPLE))
    assert isinstance(data, GroupJoinRequestedData)
    assert [(one.jid, one.lid) for one in data.members] == [(BEN, "77@lid")]
    assert (data.withdrawn, data.method) == (withdrawn, "invite_link")


def test_a_group_that_the_account_is_in() -> None:
    """By whom, which group, and whether it is new."""
    group = club()
    group.ParticipantVersionID = "v1"
    event = events.JoinedGroup(Type="new", GroupInfo=group, Sender=jid("77", LID))
    (data,) = told(group_news.joined(event, people=PEOPLE))
    assert isinstance(data, GroupJoinedData)
    assert (data.chat, data.details.name, data.is_new) == (CLUB, "Club", True)
    assert (data.members_version, data.reason, data.partial) == ("v1", None, False)
    assert data.by is not None
    assert data.by.jid == BEN


def test_a_picture() -> None:
    """Another one, or none any more."""
    event = events.Picture(
        JID=jid("120363025550100001", "g.us"),
        Author=jid("77", LID),
        Timestamp=SECOND,
        Remove=True,
    )
    (data,) = told(group_news.picture(event, people=PEOPLE))
    assert isinstance(data, GroupUpdatedData)
    assert (data.what, data.photo_removed) == ((GroupAspect.PHOTO,), True)


def test_what_fits_nowhere() -> None:
    """It is cut, and the event still fits the contract."""
    event = change(
        Name=events.GroupName(Name="x" * 5_000),
        UnknownChanges=[events.Node(Tag="y" * 500)],
        Ephemeral=events.GroupEphemeral(IsEphemeral=True, DisappearingTimer=4_000_000_000),
    )
    event.Timestamp = 2**62
    event.JID.User = ""
    (data,) = told(*group_news.changed(event, people=PEOPLE))
    assert isinstance(data, GroupUpdatedData)
    assert (len(data.name or ""), len(data.other[0])) == (1_024, 64)
    assert (data.disappearing_seconds, data.timestamp, data.partial) == (None, None, True)
