"""A vote in a poll, opened without the library."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

from gateway_worker.whatsapp.convert.message_secrets import decrypted
from gateway_worker.whatsapp.convert.people import address

SecretOf = Callable[[str], Sequence[tuple[str, bytes]]]
"""Returns who may have written a message, as JIDs, each with its secret, by the message's id."""


def open_vote(event: Any, *, secret_of: SecretOf) -> Any:
    """Return the bytes of the library's `PollVoteMessage`; None if no secret fits.

    Args:
        event: The library's message event that brought the vote.
        secret_of: What the device store has.
    """
    update, source = event.Message.pollUpdateMessage, event.Info.MessageSource
    poll_id = update.pollCreationMessageKey.ID
    voters = [address(one) for one in (source.Sender, source.SenderAlt) if one.User]
    for (writer, secret), voter in product(secret_of(poll_id), voters):
        opened = decrypted(
            update.vote.encPayload,
            update.vote.encIV,
            secret=secret,
            message_id=poll_id,
            writer=writer,
            sender=voter,
            purpose="Poll Vote",
            names_sender=True,
        )
        if opened is not None:
            return opened
    return None
