"""The key agreement that opens a session (X3DH), seen from both ends.

The initiator has the other's bundle and needs no answer; the responder learns everything from the
first pre-key message. Both end with the same root key. Without a one-time key in the bundle the
agreement simply has one secret less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.signal.kdf import ratchet_root, split_secret
from gateway_worker.sandbox.signal.keys import KeyPair, PreKey, PreKeyBundle, SignedPreKey
from gateway_worker.sandbox.signal.ratchet import PendingPreKey, ReceivingChain, Session
from gateway_worker.sandbox.signal.reading import ReadingChain

if TYPE_CHECKING:
    from gateway_worker.sandbox.signal.messages import PreKeySignalMessage

_DISCONTINUITY: Final = b"\xff" * 32


def initiate(
    *,
    identity: KeyPair,
    registration_id: int,
    bundle: PreKeyBundle,
    base: KeyPair | None = None,
) -> Session:
    """Open a session with the owner of `bundle`.

    Args:
        identity: our identity key.
        registration_id: ours, carried by the first messages.
        bundle: theirs; its signature is checked.
        base: our ephemeral key; drawn when not given.

    Raises:
        UntrustedBundleError: the bundle's signature does not verify.
    """
    bundle.check()
    base = base or KeyPair.generate()
    secrets = [
        _DISCONTINUITY,
        identity.agree(bundle.signed.public),
        base.agree(bundle.identity),
        base.agree(bundle.signed.public),
    ]
    if bundle.one_time is not None:
        secrets.append(base.agree(bundle.one_time.public))
    root, receiving = split_secret(b"".join(secrets))
    received = ReceivingChain(
        ratchet_public=bundle.signed.public, reading=ReadingChain(next_key=receiving)
    )
    ratchet = KeyPair.generate()
    root, sending = ratchet_root(root, ratchet.agree(bundle.signed.public))
    return Session(
        local_identity=identity.public,
        remote_identity=bundle.identity,
        local_registration_id=registration_id,
        base_public=base.public,
        root_key=root,
        sending_pair=ratchet,
        sending_chain=sending,
        receiving=[received],
        pending=PendingPreKey(
            pre_key_id=None if bundle.one_time is None else bundle.one_time.key_id,
            signed_key_id=bundle.signed.key_id,
            base_public=base.public,
        ),
    )


def respond(
    *,
    identity: KeyPair,
    registration_id: int,
    signed: SignedPreKey,
    one_time: PreKey | None,
    message: PreKeySignalMessage,
) -> Session:
    """Build the session that a received pre-key message belongs to; it still has to be decrypted.

    Args:
        identity: our identity key.
        registration_id: ours.
        signed: the signed pre-key the message names.
        one_time: the one-time key it names, None if it names none.
        message: the first message.
    """
    secrets = [
        _DISCONTINUITY,
        signed.pair.agree(message.identity),
        identity.agree(message.base_public),
        signed.pair.agree(message.base_public),
    ]
    if one_time is not None:
        secrets.append(one_time.pair.agree(message.base_public))
    root, sending = split_secret(b"".join(secrets))
    return Session(
        local_identity=identity.public,
        remote_identity=message.identity,
        local_registration_id=registration_id,
        base_public=message.base_public,
        root_key=root,
        sending_pair=signed.pair,
        sending_chain=sending,
    )
