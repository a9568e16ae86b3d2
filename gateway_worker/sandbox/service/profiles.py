"""Accounts change what they show; those who talk with them are told."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gateway_worker.sandbox.service.pushing import push
from gateway_worker.sandbox.wire.node import Attrs, Node, now

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Account, Accounts


def set_picture(accounts: Accounts, account: Account, picture: bytes | None) -> str:
    """Change an account's picture, or take it away; tells those who talk with it.

    Returns:
        the new picture's id; "" without one.
    """
    profile = account.profile
    profile.picture = picture
    digest = hashlib.sha256(picture or b"").hexdigest()
    profile.picture_id = "" if picture is None else str(int(digest[:8], 16))
    child = (
        Node("delete", {"jid": account.lid})
        if picture is None
        else Node("set", {"jid": account.lid, "id": profile.picture_id, "author": account.lid})
    )
    for other in accounts:
        if other is account or other.lid.user in account.chats:
            notice: Attrs = {"type": "picture", "from": account.lid, "t": now()}
            for record in other.companions:
                push(record, Node("notification", dict(notice), (child,)))
    return profile.picture_id


def change_identity(accounts: Accounts, account: Account) -> None:
    """Tell those who talk with an account that its keys have changed (a new phone)."""
    for other in accounts:
        if other is not account and other.lid.user in account.chats:
            notice: Attrs = {"type": "encrypt", "from": account.lid, "t": now()}
            for record in other.companions:
                push(record, Node("notification", dict(notice), (Node("identity"),)))


def find_by_link(accounts: Accounts, code: str) -> Account | None:
    """Return whose contact link has a code."""
    return next((one for one in accounts if one.profile.link_code == code), None)
