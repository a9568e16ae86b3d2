"""The stanzas a phone writes, and the key bundles inside the ones it reads."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.phones.form import NO_FORM
from gateway_worker.sandbox.signal.errors import MalformedMessageError
from gateway_worker.sandbox.signal.keys import PreKeyBundle, PublicPreKey, PublicSignedPreKey
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway_worker.sandbox.phones.form import Form
    from gateway_worker.sandbox.signal.sessions import Ciphertext
    from gateway_worker.sandbox.wire.jid import Jid
    from gateway_worker.sandbox.wire.node import Attrs

_ID_PREFIX: Final = "3A"
_KEY_TYPE: Final = b"\x05"


def new_message_id() -> str:
    """Draw a message id in the form that phones use: 20 hexadecimal digits."""
    return _ID_PREFIX + secrets.token_hex(9).upper()


def enc(ciphertext: Ciphertext, form: Form, *, count: int = 0) -> Node:
    """Build the node of one ciphertext; `count` is the number of the retry it answers."""
    attrs: Attrs = {"v": "2", "type": ciphertext.kind.value, **form.ciphertext}
    if count:
        attrs["count"] = str(count)
    return Node("enc", attrs, ciphertext.data)


def writer_of(node: Node) -> Jid:
    """Return who a stanza is from: in a chat with several people its `participant`.

    Raises:
        WireError: it does not say.
    """
    return node.jid("participant") or node.require_jid("from")


def fan_out(
    attrs: Attrs,
    to: Jid,
    ciphertexts: Sequence[tuple[Jid, Ciphertext]],
    form: Form,
    *,
    without: Sequence[Jid] = (),
) -> Node:
    """Build a message that has one ciphertext per device, but a placeholder for those `without`."""
    participants = tuple(
        Node("to", {"jid": device}, (enc(ciphertext, form),)) for device, ciphertext in ciphertexts
    )
    hidden = Node("unavailable", {"type": "view_once"})
    participants += tuple(Node("to", {"jid": device}, (hidden,)) for device in without)
    meta = (Node("meta", form.meta),) if form.meta else ()
    return Node("message", {**attrs, "to": to}, (Node("participants", {}, participants), *meta))


def to_many(
    message: Node, sealed: Ciphertext, keys: Sequence[tuple[Jid, Ciphertext]], form: Form
) -> Node:
    """Add to a message what all can read, and the key of it for the devices that lack it."""
    given = tuple(Node("to", {"jid": one}, (enc(key, NO_FORM),)) for one, key in keys)
    participants = message.require_child("participants")
    given_to = Node("participants", {}, given + participants.children)
    content = (given_to, enc(sealed, form), *message.all("meta"))
    return Node(message.tag, {**message.attrs, "addressing_mode": "lid"}, content)


def resend(attrs: Attrs, device: Jid, ciphertext: Ciphertext, form: Form, *, count: int) -> Node:
    """Build the answer to a retry receipt: one ciphertext straight to the device."""
    return Node(
        "message",
        {**attrs, "to": device, "device_fanout": "false"},
        (enc(ciphertext, form, count=count),),
    )


def resend_in(
    chat: Jid, attrs: Attrs, device: Jid, ciphertext: Ciphertext, form: Form, *, count: int
) -> Node:
    """Build the answer to a retry receipt from a chat with several people."""
    head: Attrs = {**attrs, "to": chat, "participant": device}
    return Node("message", head, (enc(ciphertext, form, count=count),))


def receipt(
    to: Jid,
    message_ids: Sequence[str],
    *,
    kind: str = "",
    recipient: Jid | None = None,
    participant: Jid | None = None,
) -> Node:
    """Build a receipt.

    Args:
        to: the writer, a chat with several people, or an own companion that shall know.
        message_ids: at least one.
        kind: `read`, `played`, …; none means delivered.
        recipient: for an own companion, the chat that it is about.
        participant: the writer, where the chat does not say who that is.
    """
    attrs: Attrs = {"id": message_ids[0], "to": to}
    if kind:
        attrs["type"] = kind
    if recipient is not None:
        attrs["recipient"] = recipient
    if participant is not None:
        attrs["participant"] = participant
    items = tuple(Node("item", {"id": message_id}) for message_id in message_ids[1:])
    return Node("receipt", attrs, (Node("list", {}, items),) if items else None)


def retry_receipt(message: Node, bundle: PreKeyBundle, *, count: int) -> Node:
    """Ask the device that wrote a message to encrypt it again, with keys for a new session."""
    message_id, chat = message.require("id"), message.require_jid("from")
    return Node(
        "receipt",
        receipt(chat, (message_id,), kind="retry", participant=message.jid("participant")).attrs,
        (
            Node(
                "retry",
                {"count": str(count), "id": message_id, "t": message.get("t", "0"), "v": "1"},
            ),
            Node("registration", {}, bundle.registration_id.to_bytes(4, "big")),
            Node("keys", {}, _keys(bundle)),
        ),
    )


def bundle_in_receipt(node: Node) -> PreKeyBundle | None:
    """Read the keys in a retry receipt; None when it has none.

    Raises:
        MalformedMessageError: there are keys, but not the ones a session needs.
    """
    keys = node.child("keys")
    if keys is None:
        return None
    identity, signed = keys.child("identity"), keys.child("skey")
    registration, one_time = node.child("registration"), keys.child("key")
    if identity is None or signed is None or registration is None:
        raise MalformedMessageError("a retry receipt with incomplete keys")
    return PreKeyBundle(
        registration_id=int.from_bytes(registration.data, "big"),
        identity=identity.data,
        signed=PublicSignedPreKey(
            key_id=int.from_bytes(_data(signed, "id"), "big"),
            public=_data(signed, "value"),
            signature=_data(signed, "signature"),
        ),
        one_time=None
        if one_time is None
        else PublicPreKey(
            key_id=int.from_bytes(_data(one_time, "id"), "big"), public=_data(one_time, "value")
        ),
    )


def _keys(bundle: PreKeyBundle) -> tuple[Node, ...]:
    signed = Node(
        "skey",
        {},
        (
            Node("id", {}, bundle.signed.key_id.to_bytes(3, "big")),
            Node("value", {}, bundle.signed.public),
            Node("signature", {}, bundle.signed.signature),
        ),
    )
    nodes = [Node("type", {}, _KEY_TYPE), Node("identity", {}, bundle.identity)]
    if bundle.one_time is not None:
        one_time = bundle.one_time
        nodes.append(
            Node(
                "key",
                {},
                (
                    Node("id", {}, one_time.key_id.to_bytes(3, "big")),
                    Node("value", {}, one_time.public),
                ),
            )
        )
    return (*nodes, signed)


def _data(node: Node, tag: str) -> bytes:
    child = node.child(tag)
    if child is None:
        raise MalformedMessageError(f"<{node.tag}> without <{tag}>")
    return child.data
