"""Pictures of people; who hides one is not told apart by anything but the status."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import ANY, Answer
from gateway_worker.sandbox.server.queries.w_profile_picture._groups import (
    change_group,
    group_picture,
    is_about_group,
)
from gateway_worker.sandbox.server.stanzas import error, result
from gateway_worker.sandbox.service.devices import PHONE
from gateway_worker.sandbox.service.media.media import MediaFault
from gateway_worker.sandbox.service.profiles import set_picture
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.accounts import Account

HOST: Final = "https://pps.whatsapp.net"
_JPEG: Final = b"\xff\xd8\xff"
_NOT_A_PICTURE: Final = 406


Found = Callable[["DeviceSession", Node], "tuple[bytes | None, str, Account]"]


def show(session: DeviceSession, query: Node) -> Node | None:
    """Tell where a picture is."""
    found: Found = group_picture if is_about_group(query) else _personal
    picture, picture_id, owner = found(session, query)
    if picture is None:
        return error(query, 401, "not-authorized")
    if not picture:
        return error(query, 404, "item-not-found")
    kind = query.require_child("picture").get("type", "image")
    path = _keep(session, owner, picture)
    attrs: Attrs = {
        "id": picture_id,
        "type": kind,
        "url": f"{HOST}{path}",
        "direct_path": path,
    }
    return result(query, Node("picture", attrs))


def change(session: DeviceSession, query: Node) -> Node | None:
    """Take a picture for a group, or for the account itself."""
    if is_about_group(query):
        return change_group(session, query)
    data = query.require_child("picture").data
    if not data.startswith(_JPEG):
        return error(query, _NOT_A_PICTURE, "not-acceptable")
    picture_id = set_picture(session.service.accounts, session.account, data)
    return result(query, Node("picture", {"id": picture_id}))


def _personal(session: DeviceSession, query: Node) -> tuple[bytes | None, str, Account]:
    """Return somebody's picture (empty without one, None if it is hidden), its id, and whose."""
    account = session.service.accounts.find(query.jid("target") or query.require_jid("to"))
    if account is None:
        return b"", "", session.account
    profile = account.profile
    if account is not session.account and profile.hides_picture and profile.picture:
        return None, "", account
    return profile.picture or b"", profile.picture_id, account


def _keep(session: DeviceSession, account: Account, data: bytes) -> str:
    """Put a picture where it can be had; returns the path."""
    media = session.service.media
    upload = media.store.begin()
    upload.write(data)
    upload.close()
    stored = media.keep(
        upload, media_type="picture", uploader=account.devices[PHONE], fault=MediaFault()
    )
    return media.store.direct_path(stored)


ANSWERS: Final = (
    Answer(xmlns="w:profile:picture", type="get", child=ANY, run=show),
    Answer(xmlns="w:profile:picture", type="set", child=ANY, run=change),
)
