"""Keys as elements, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.signal.keys import PublicSignedPreKey
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.signal.keys import PreKeyBundle, PublicPreKey

REGISTRATION_BYTES: Final = 4
ID_BYTES: Final = 3
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


def published(bundle: PreKeyBundle) -> tuple[Node, ...]:
    """Write what a device publishes once."""
    signed = bundle.signed
    parts = (
        Node("id", {}, signed.key_id.to_bytes(ID_BYTES, "big")),
        Node("value", {}, signed.public),
        Node("signature", {}, signed.signature),
    )
    return (
        Node("registration", {}, bundle.registration_id.to_bytes(REGISTRATION_BYTES, "big")),
        Node("type", {}, b"\x05"),
        Node("identity", {}, bundle.identity),
        Node("skey", {}, parts),
    )


def one_time(key: PublicPreKey) -> tuple[Node, ...]:
    """Write a one-time prekey: its number and the key."""
    return Node("id", {}, key.key_id.to_bytes(ID_BYTES, "big")), Node("value", {}, key.public)


def signed_prekey(node: Node) -> PublicSignedPreKey:
    """Read a signed prekey.

    Raises:
        WireError: a part is missing or has another size.
    """
    return PublicSignedPreKey(
        key_id=number(node.require_child("id"), ID_BYTES),
        public=node.require_child("value").sized(KEY_BYTES),
        signature=node.require_child("signature").sized(SIGNATURE_BYTES),
    )


def number(node: Node, size: int) -> int:
    """Read a number of exactly so many bytes.

    Raises:
        WireError: it has another size.
    """
    return int.from_bytes(node.sized(size), "big")
