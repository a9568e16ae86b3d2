"""Groups as the library describes them, in the contract's words."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway_worker.host_protocol.times import is_time, rfc3339
from gateway_worker.whatsapp.convert.people import People, address
from gateway_worker.whatsapp.convert.texts import short

NAME_CHARACTERS: Final = 1_024
DESCRIPTION_CHARACTERS: Final = 8_192
_MOST_SECONDS: Final = 10 * 366 * 86_400
_MICROSECONDS: Final = 1_000_000

_ALREADY_IN: Final = 409
_INVITE_ONLY: Final = 403
_NOT_FOUND: Final = 404


def details(group: Any, people: People, *, is_listed: bool = False) -> dict[str, Any]:
    """Return what a group is, without its members.

    Args:
        group: The library's `GroupInfo`.
        people: Who is who.
        is_listed: Whether it stands among others, and what may be long is left out.
    """
    created, timer = int(group.GroupCreated), group.GroupEphemeral.DisappearingTimer
    topic, parent = group.GroupTopic.Topic, group.GroupLinkedParent.LinkedParentJID
    told: dict[str, Any] = {
        "group": address(group.JID),
        "name": short(group.GroupName.Name, NAME_CHARACTERS),
        "size": len(group.Participants),
        "announce": group.GroupAnnounce.IsAnnounce,
        "locked": group.GroupLocked.isLocked,
        "is_community": group.GroupParent.IsParent,
        "is_announcements": group.GroupIsDefaultSub.IsDefaultSubGroup,
    }
    if topic and not is_listed:
        told["description"] = short(topic, DESCRIPTION_CHARACTERS)
    if group.OwnerJID.User or group.OwnerPN.User:
        told["owner"] = people.person(group.OwnerJID, group.OwnerPN).jid
    if is_time(created):
        told["created_at"] = rfc3339(created)
    if group.GroupEphemeral.IsEphemeral and 0 < timer <= _MOST_SECONDS:
        told["disappearing_seconds"] = timer
    if parent.User:
        told["community"] = address(parent)
    return told


def member(one: Any, people: People) -> dict[str, Any]:
    """Return a member: ids and role.

    Args:
        one: The library's `GroupParticipant`.
        people: Who is who.
    """
    person = people.person(one.LID if one.LID.User else one.JID, one.PhoneNumber)
    role = "owner" if one.IsSuperAdmin else "admin" if one.IsAdmin else "member"
    told = {"jid": person.jid, "role": role}
    return told if person.lid is None else told | {"lid": person.lid}


def join_request(one: Any, people: People) -> dict[str, Any]:
    """Return somebody who wants to enter a group.

    Args:
        one: The library's `GroupParticipantRequest`, whose time is in microseconds.
        people: Who is who.
    """
    person = people.person(one.Participant)
    told: dict[str, Any] = {"jid": person.jid, "lid": person.lid}
    told["phone_number"] = person.phone_number
    seconds = one.TimeAt // _MICROSECONDS
    asked = {"requested_at": rfc3339(seconds)} if is_time(seconds) else {}
    return {"participant": {name: value for name, value in told.items() if value}, **asked}


def sub_group(one: Any) -> dict[str, Any]:
    """Return a group of a community.

    Args:
        one: The library's `GroupLinkTarget`.
    """
    return {
        "group": address(one.JID),
        "name": short(one.GroupName.Name, NAME_CHARACTERS),
        "is_announcements": one.GroupIsDefaultSub.IsDefaultSubGroup,
    }


def outcomes(jids: Sequence[str | None], answered: Sequence[Any]) -> list[dict[str, Any]]:
    """Return what became of people whom a change was about, in their order.

    Args:
        jids: By which JID each was named to WhatsApp; None for who is not there.
        answered: The library's `GroupParticipant`s, in any order.
    """
    known: dict[str, Any] = {}
    for one in answered:
        for jid in (one.JID, one.LID, one.PhoneNumber):
            if jid.User:
                known.setdefault(address(jid), one)
    return [_outcome(jid, known) for jid in jids]


def _outcome(jid: str | None, known: dict[str, Any]) -> dict[str, Any]:
    if jid is None:
        return {"outcome": "not_found"}
    one = known.get(jid)
    if one is None:  # WhatsApp has not said a word of it
        return {"outcome": "refused"}
    if not one.Error:
        return {"outcome": "done"}
    if one.Error == _INVITE_ONLY and one.AddRequest.Code:
        invite: dict[str, Any] = {"code": short(one.AddRequest.Code)}
        expires = int(one.AddRequest.Expiration)
        if is_time(expires):
            invite["expires_at"] = rfc3339(expires)
        return {"outcome": "invite_only", "status": one.Error, "invite": invite}
    names = {_ALREADY_IN: "unchanged", _NOT_FOUND: "not_found"}
    return {"outcome": names.get(one.Error, "refused"), "status": one.Error}


def page(
    items: Sequence[Any], first: int, most: int, told: Callable[[Any], dict[str, Any]]
) -> tuple[list[dict[str, Any]], int | None]:
    """Return a part of a list, and the place of what comes after it; None if that is all."""
    following = first + most
    shown = [told(one) for one in items[first:following]]
    return shown, following if following < len(items) else None
