"""A phone's keys in the form in which the service publishes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.service.interface import KeyBundle, PreKey, SignedPreKey

if TYPE_CHECKING:
    from gateway_worker.sandbox.signal.sessions import SessionBook


def published(book: SessionBook) -> KeyBundle:
    """Return the lasting keys of a device."""
    bundle = book.bundle()
    return KeyBundle(
        registration_id=bundle.registration_id,
        identity=bundle.identity,
        signed_prekey=SignedPreKey(
            id=bundle.signed_key_id,
            public=bundle.signed_public,
            signature=bundle.signed_signature,
        ),
    )


def draw_one_time_keys(book: SessionBook, count: int) -> list[PreKey]:
    """Draw one-time keys; their secrets stay in the book."""
    keys = (book.new_one_time_key() for _ in range(count))
    return [PreKey(id=key.key_id, public=key.public) for key in keys]
