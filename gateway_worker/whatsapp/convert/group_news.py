"""Events of the library about groups, as events of the contract."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from gateway_worker.host_protocol.times import is_time, rfc3339
from gateway_worker.host_protocol.wire import Person
from gateway_worker.whatsapp.convert.arrival import Arrival
from gateway_worker.whatsapp.convert.groups import (
    DESCRIPTION_CHARACTERS,
    NAME_CHARACTERS,
    details,
)
from gateway_worker.whatsapp.convert.people import People, address, is_address
from gateway_worker.whatsapp.convert.texts import clean, short

GROUP_JOINED: Final = "wa.group.joined.v1"
GROUP_UPDATED: Final = "wa.group.updated.v1"
GROUP_PARTICIPANTS: Final = "wa.group.participants.v1"
GROUP_JOIN_REQUESTED: Final = "wa.group.join_requested.v1"
_WORD_CHARACTERS: Final = 64
_MOST_SECONDS: Final = 10 * 366 * 86_400
_LINK: Final = "https://chat.whatsapp.com/"
_MILLISECONDS: Final = 1_000

_PEOPLE: Final = (
    ("Join", "joined"),
    ("Leave", "left"),
    ("Promote", "promoted"),
    ("Demote", "demoted"),
)
_REQUESTS: Final = {
    "created_membership_requests": False,
    "revoked_membership_requests": True,
}
"""Elements that tell who wants to enter, and whether they have changed their minds."""


def joined(event: Any, *, people: People) -> Arrival:
    """Return that the account is in a group.

    Args:
        event: The library's `JoinedGroup`.
        people: Who is who.
    """
    group = event.GroupInfo
    return Arrival(
        type=GROUP_JOINED,
        data={
            "chat": address(group.JID),
            "by": _person(event.Sender, event.SenderPN, people),
            "details": details(group, people),
            "is_new": event.Type == "new",
            "reason": _word(event.Reason),
            "members_version": _word(group.ParticipantVersionID),
            "partial": not is_address(group.JID),
        },
    )


def changed(event: Any, *, people: People) -> tuple[Arrival, ...]:
    """Return what a change of a group tells: of the group, of its members, of who wants to enter.

    Args:
        event: The library's `GroupInfoEvent`.
        people: Who is who.
    """
    shared = _shared(event, people)
    told = [*_members(event, shared, people), *_requests(event, shared, people)]
    what, fields = _updates(event)
    if what:
        told.append(Arrival(type=GROUP_UPDATED, data={**shared, "what": what, **fields}))
    return tuple(told)


def picture(event: Any, *, people: People) -> Arrival:
    """Return that a group has another picture, or none any more.

    Args:
        event: The library's `Picture`, of a group.
        people: Who is who.
    """
    return Arrival(
        type=GROUP_UPDATED,
        data={
            "chat": address(event.JID),
            "by": _person(event.Author, None, people),
            "timestamp": _moment(event.Timestamp),
            "what": ["photo"],
            "photo_removed": event.Remove,
            "partial": not is_address(event.JID),
        },
    )


def _shared(event: Any, people: People) -> dict[str, Any]:
    return {
        "chat": address(event.JID),
        "by": _person(event.Sender, None, people),
        "timestamp": _moment(event.Timestamp),
        "partial": not is_address(event.JID),
    }


def _members(event: Any, shared: dict[str, Any], people: People) -> Iterator[Arrival]:
    for field, change in _PEOPLE:
        members = getattr(event, field)
        if members:
            yield Arrival(
                type=GROUP_PARTICIPANTS,
                data={
                    **shared,
                    "change": change,
                    "members": [people.person(one) for one in members],
                    "is_me": any(people.is_me(address(one)) for one in members),
                    "reason": _word(event.JoinReason) if field == "Join" else None,
                    "members_version": _word(event.ParticipantVersionID),
                },
            )


def _requests(event: Any, shared: dict[str, Any], people: People) -> Iterator[Arrival]:
    for node in event.UnknownChanges:
        withdrawn = _REQUESTS.get(clean(node.Tag))
        if withdrawn is None:
            continue
        members = [_named(jid, people) for child in node.Nodes for jid in _jids(child.Attrs)]
        yield Arrival(
            type=GROUP_JOIN_REQUESTED,
            data={
                **shared,
                "members": members,
                "withdrawn": withdrawn,
                "method": _word(_text(node.Attrs, "request_method")),
            },
        )


def _updates(event: Any) -> tuple[list[str], dict[str, Any]]:
    """Return what has changed about a group itself, and what it is now."""
    what: list[str] = []
    fields: dict[str, Any] = {}
    for field, aspect, read in _ASPECTS:
        if event.HasField(field):
            what.append(aspect)
            fields |= read(getattr(event, field))
    tags = [short(node.Tag, _WORD_CHARACTERS) for node in event.UnknownChanges]
    if others := [tag for tag in tags if tag not in _REQUESTS]:
        what.append("other")
        fields["other"] = list(dict.fromkeys(others))
    return what, fields


def _name(value: Any) -> dict[str, Any]:
    return {"name": short(value.Name, NAME_CHARACTERS)}


def _topic(value: Any) -> dict[str, Any]:
    if value.TopicDeleted or not value.Topic:
        return {}
    return {"description": short(value.Topic, DESCRIPTION_CHARACTERS)}


def _timer(value: Any) -> dict[str, Any]:
    is_on = value.IsEphemeral and 0 < value.DisappearingTimer <= _MOST_SECONDS
    return {"disappearing_seconds": value.DisappearingTimer} if is_on else {}


def _link(value: str) -> dict[str, Any]:
    code = short(value, NAME_CHARACTERS)
    return {"invite_link": code if code.startswith("https:") else f"{_LINK}{code}"}


def _related(value: Any) -> dict[str, Any]:
    group = value.Group
    name = short(group.GroupName.Name, NAME_CHARACTERS) or None
    return {"related": address(group.JID), "related_name": name}


_ASPECTS: Final[tuple[tuple[str, str, Callable[[Any], dict[str, Any]]], ...]] = (
    ("Name", "name", _name),
    ("Topic", "description", _topic),
    ("Announce", "announce", lambda value: {"announce": value.IsAnnounce}),
    ("Locked", "locked", lambda value: {"locked": value.isLocked}),
    ("Ephemeral", "timer", _timer),
    ("NewInviteLink", "invite_link", _link),
    ("Delete", "deleted", lambda _: {}),
    ("Link", "linked", _related),
    ("Unlink", "unlinked", _related),
)
"""The library's fields of a change, what each is about, and what is told of it."""


def _person(jid: Any, other: Any, people: People) -> Person | None:
    if not (jid.User or (other is not None and other.User)):
        return None
    if people.is_me(address(jid)):
        return people.myself(jid, other)
    return people.person(jid, other)


def _named(text: str, people: People) -> Person:
    """Return the person of a JID that is written as text."""
    return Person(jid=people.named(text), lid=text if text.endswith("@lid") else None)


def _jids(attributes: Iterable[Any]) -> Sequence[str]:
    return [address(one.jid) for one in attributes if one.name == "jid" and one.HasField("jid")]


def _text(attributes: Iterable[Any], name: str) -> str:
    return next((one.text for one in attributes if one.name == name), "")


def _word(text: str | bytes) -> str | None:
    return short(text, _WORD_CHARACTERS) or None


def _moment(timestamp: int) -> str | None:
    """Return a time that the library gives in seconds or milliseconds; None for none."""
    seconds = timestamp if is_time(timestamp) else timestamp // _MILLISECONDS
    return rfc3339(seconds) if is_time(seconds) else None
