"""Queries about the companion itself: readiness, pings, privacy, leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.server.stanzas import error, result
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession


def set_passive(session: DeviceSession, query: Node) -> Node | None:
    """Ready for stanzas, or not any more."""
    session.deliver(result(query))
    if query.child("active") is not None:
        session.activate()
    else:
        session.record.mailbox.close(session)
    return None


def ping(_session: DeviceSession, query: Node) -> Node | None:
    """Keep-alive."""
    return result(query)


def empty(_session: DeviceSession, query: Node) -> Node | None:
    """Things that clients set and that change nothing here."""
    return result(query)


def set_privacy(session: DeviceSession, query: Node) -> Node | None:
    """Keep the tokens that the companion hands to contacts; settings have no effect."""
    tokens = query.child("tokens")
    for token in tokens.all("token") if tokens else ():
        session.account.trusted[token.require_jid("jid").account] = token.get("t")
    return result(query)


def get_privacy(_session: DeviceSession, query: Node) -> Node | None:
    """Everything is open to all."""
    names = ("last", "online", "profile", "status", "groupadd", "readreceipts", "calladd")
    settings = tuple(Node("category", {"name": name, "value": "all"}) for name in names)
    return result(query, Node("privacy", {}, settings))


def get_blocklist(session: DeviceSession, query: Node) -> Node | None:
    """The accounts that this one has blocked."""
    items = tuple(Node("item", {"jid": jid}) for jid in sorted(session.account.blocked, key=str))
    return result(query, Node("list", {"addressing_mode": "lid"}, items))


def set_blocklist(session: DeviceSession, query: Node) -> Node | None:
    """Block or unblock one account."""
    item = query.require_child("item")
    other = session.hub.accounts.find(item.require_jid("jid"))
    if other is None:
        return error(query, 404, "item-not-found")
    if item.get("action") == "block":
        session.account.blocked.add(other.lid)
    else:
        session.account.blocked.discard(other.lid)
    return get_blocklist(session, query)


def set_multidevice(session: DeviceSession, query: Node) -> Node | None:
    """A companion removes itself or another companion of its account."""
    request = query.child("remove-companion-device")
    if request is None:
        return error(query, 501, "feature-not-implemented")
    device = request.require_jid("jid")
    own = device.device == session.jid.device
    owner = session.hub.accounts.find(device)
    if owner is not session.account or device.device not in owner.devices or not device.device:
        return error(query, 404, "item-not-found")
    session.deliver(result(query))
    if own:
        session.hub.linking.unlink(device, end=None)
        session.leave()
    else:
        session.hub.linking.unlink(device)
    return None


def get_app_state(_session: DeviceSession, query: Node) -> Node | None:
    """App state that nobody has written yet: every collection at the version the client knows."""
    sync = query.require_child("sync")
    collections = []
    for item in sync.all("collection"):
        attrs: Attrs = {"name": item.require("name"), "version": item.get("version", "0")}
        collections.append(Node("collection", attrs))
    return result(query, Node("sync", {}, tuple(collections)))


def get_properties(_session: DeviceSession, query: Node) -> Node | None:
    """No experiments."""
    return result(query, Node("props", {"protocol": "2", "hash": "none", "refresh": "86400"}))


def get_picture(_session: DeviceSession, query: Node) -> Node | None:
    """Nobody has a picture."""
    return error(query, 404, "item-not-found")
