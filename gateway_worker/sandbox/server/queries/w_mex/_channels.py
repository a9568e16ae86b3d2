"""Channels, as clients ask about them and follow them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway_worker.sandbox.server.queries.w_mex._refusal import RefusedError
from gateway_worker.sandbox.wire.jid import Jid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.channels import Channel

_NOT_FOUND: Final = 404
_CREATED_AT: Final = "1790000000"
_NO_PICTURE: Final = {"url": "", "id": "", "type": "PREVIEW", "direct_path": ""}


def info(session: DeviceSession, variables: dict[str, Any]) -> dict[str, Any]:
    """Describe a channel, by its address or the code of its invitation."""
    asked = variables["input"]
    channels = session.service.channels
    by_address = asked["type"] == "JID"
    found = channels.find(Jid.parse(asked["key"])) if by_address else channels.invited(asked["key"])
    if found is None:
        raise RefusedError(_NOT_FOUND, "Not Found")
    return {"xwa2_newsletter": _described(found, session.account.lid)}


def followed(session: DeviceSession, _variables: dict[str, Any]) -> dict[str, Any]:
    """Describe the channels that the account has or follows."""
    account = session.account.lid
    found = [_described(one, account) for one in session.service.channels.of(account)]
    return {"xwa2_newsletter_subscribed": found}


def follow(session: DeviceSession, variables: dict[str, Any]) -> dict[str, Any]:
    """Let the account follow a channel."""
    channel = _named(session, variables)
    channel.followers.add(session.account.lid)
    return {"xwa2_newsletter_join_v2": {"id": str(channel.jid)}}


def unfollow(session: DeviceSession, variables: dict[str, Any]) -> dict[str, Any]:
    """Let the account follow it no longer."""
    channel = _named(session, variables)
    channel.followers.discard(session.account.lid)
    return {"xwa2_newsletter_leave_v2": {"id": str(channel.jid)}}


def mute(session: DeviceSession, variables: dict[str, Any]) -> dict[str, Any]:
    """Note that the account wants no notifications."""
    channel = _named(session, variables)
    channel.muted.add(session.account.lid)
    return {"xwa2_newsletter_mute_v2": {"id": str(channel.jid)}}


def unmute(session: DeviceSession, variables: dict[str, Any]) -> dict[str, Any]:
    """Note that it wants them again."""
    channel = _named(session, variables)
    channel.muted.discard(session.account.lid)
    return {"xwa2_newsletter_unmute_v2": {"id": str(channel.jid)}}


def _named(session: DeviceSession, variables: dict[str, Any]) -> Channel:
    found = session.service.channels.find(Jid.parse(variables["newsletter_id"]))
    if found is None:
        raise RefusedError(_NOT_FOUND, "Not Found")
    return found


def _described(channel: Channel, account: Jid) -> dict[str, Any]:
    role = "guest"
    if account == channel.owner:
        role = "owner"
    elif account in channel.followers:
        role = "subscriber"
    return {
        "id": str(channel.jid),
        "state": {"type": "active"},
        "thread_metadata": {
            "creation_time": _CREATED_AT,
            "invite": channel.invite,
            "name": _text(channel.name),
            "description": _text(channel.description),
            "subscribers_count": str(len(channel.followers)),
            "verification": "unverified",
            "picture": _NO_PICTURE,
            "preview": _NO_PICTURE,
            "settings": {"reaction_codes": {"value": "all"}},
        },
        "viewer_metadata": {"mute": "on" if account in channel.muted else "off", "role": role},
    }


def _text(text: str) -> dict[str, str]:
    return {"text": text, "id": "1", "update_time": f"{_CREATED_AT}000000"}


BY_NUMBER: Final[Mapping[str, Callable[[DeviceSession, dict[str, Any]], dict[str, Any]]]] = {
    "6563316087068696": info,
    "6388546374527196": followed,
    "9926858900719341": follow,
    "6392786840836363": unfollow,
    "6274038279359549": mute,
    "6068417879924485": unmute,
}
