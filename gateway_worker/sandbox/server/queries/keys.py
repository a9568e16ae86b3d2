"""Namespace `encrypt`: published keys, and the keys of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.hub.interface import (
    FetchedBundle,
    KeyBundle,
    PreKey,
    SignedPreKey,
)
from gateway_worker.sandbox.server.stanzas import error, result
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.wire.jid import Jid

REGISTRATION_BYTES: Final = 4
ID_BYTES: Final = 3
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


def get_keys(session: DeviceSession, query: Node) -> Node | None:
    """Count of own prekeys, digest of own keys, or bundles of other devices."""
    if query.child("count") is not None:
        left = len(session.record.prekeys)
        return result(query, Node("count", {"value": str(left)}))
    if query.child("digest") is not None:
        return _digest(session, query)
    wanted = [user.require_jid("jid") for user in query.require_child("key").all("user")]
    found = session.hub.directory.fetch_bundles(wanted)
    users = tuple(_user(jid, found.get(jid)) for jid in wanted)
    return result(query, Node("list", {}, users))


def set_keys(session: DeviceSession, query: Node) -> Node | None:
    """Upload of prekeys, or rotation of the signed one."""
    rotation = query.child("rotate", "skey")
    bundle = session.record.bundle
    if rotation is not None and bundle is not None:
        session.record.bundle = KeyBundle(
            registration_id=bundle.registration_id,
            identity=bundle.identity,
            signed_prekey=_signed_prekey(rotation),
        )
        return result(query)
    session.hub.directory.publish(
        session.jid,
        KeyBundle(
            registration_id=_number(query.require_child("registration"), REGISTRATION_BYTES),
            identity=query.require_child("identity").sized(KEY_BYTES),
            signed_prekey=_signed_prekey(query.require_child("skey")),
        ),
        [
            PreKey(
                id=_number(key.require_child("id"), ID_BYTES),
                public=key.require_child("value").sized(KEY_BYTES),
            )
            for key in query.require_child("list").all("key")
        ],
    )
    return result(query)


def _digest(session: DeviceSession, query: Node) -> Node:
    bundle = session.record.bundle
    if bundle is None:
        return error(query, 404, "item-not-found")
    ids = tuple(Node("id", {}, key.id.to_bytes(ID_BYTES, "big")) for key in session.record.prekeys)
    content = (*_published(bundle), Node("list", {}, ids))
    return result(query, Node("digest", {}, content))


def _user(jid: Jid, fetched: FetchedBundle | None) -> Node:
    if fetched is None:
        missing = Node("error", {"code": "404", "text": "item-not-found"})
        return Node("user", {"jid": jid}, (missing,))
    content = _published(fetched.bundle)
    if fetched.one_time is not None:
        key = fetched.one_time
        parts = (Node("id", {}, key.id.to_bytes(ID_BYTES, "big")), Node("value", {}, key.public))
        content += (Node("key", {}, parts),)
    return Node("user", {"jid": jid}, content)


def _published(bundle: KeyBundle) -> tuple[Node, ...]:
    signed = bundle.signed_prekey
    parts = (
        Node("id", {}, signed.id.to_bytes(ID_BYTES, "big")),
        Node("value", {}, signed.public),
        Node("signature", {}, signed.signature),
    )
    return (
        Node("registration", {}, bundle.registration_id.to_bytes(REGISTRATION_BYTES, "big")),
        Node("type", {}, b"\x05"),
        Node("identity", {}, bundle.identity),
        Node("skey", {}, parts),
    )


def _signed_prekey(node: Node) -> SignedPreKey:
    return SignedPreKey(
        id=_number(node.require_child("id"), ID_BYTES),
        public=node.require_child("value").sized(KEY_BYTES),
        signature=node.require_child("signature").sized(SIGNATURE_BYTES),
    )


def _number(node: Node, size: int) -> int:
    return int.from_bytes(node.sized(size), "big")
