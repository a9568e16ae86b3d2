"""A vote in a poll, opened without the library.

The key is made of a secret that came with the poll, of the poll's id and writer, and of the voter.
Whether people are in it by number or by LID is up to the voter's device, so that all are tried.
"""

import hmac
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

from gateway_worker.whatsapp.convert.people import address

SecretOf = Callable[[str], Sequence[tuple[str, bytes]]]
"""Returns who may have written a message, as JIDs, each with its secret, by the message's id."""


def open_vote(event: Any, *, secret_of: SecretOf) -> Any:
    """Return the bytes of the library's `PollVoteMessage`; None if no secret fits.

    Args:
        event: The library's message event that brought the vote.
        secret_of: What the device store has.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - most hosts never need it
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    update, source = event.Message.pollUpdateMessage, event.Info.MessageSource
    poll_id = update.pollCreationMessageKey.ID
    voters = [address(one) for one in (source.Sender, source.SenderAlt) if one.User]
    for (writer, secret), voter in product(secret_of(poll_id), voters):
        key = _key(secret, f"{poll_id}{writer}{voter}Poll Vote".encode())
        try:
            return AESGCM(key).decrypt(
                update.vote.encIV, update.vote.encPayload, f"{poll_id}\0{voter}".encode()
            )
        except (InvalidTag, ValueError):
            continue
    return None


def _key(secret: bytes, purpose: bytes) -> bytes:
    """HKDF-SHA256 without a salt, of 32 bytes."""
    pseudo_random = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(pseudo_random, purpose + b"\x01", "sha256")
