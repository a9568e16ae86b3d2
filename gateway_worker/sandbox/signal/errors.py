"""What can go wrong with a Signal message; the phones turn these into retry receipts."""

from __future__ import annotations


class SignalError(Exception):
    """A Signal message, key or signature cannot be used."""


class MalformedMessageError(SignalError):
    """The bytes are not a version 3 Signal message."""


class NoSessionError(SignalError):
    """No session exists with the sender, or none of them can read the message."""


class TooFarAheadError(NoSessionError):
    """Too many messages of the chain would have to be missing before this one."""


class DuplicateMessageError(SignalError):
    """The message was decrypted before: its key is used up ("old counter")."""


class UnknownPreKeyError(SignalError):
    """A pre-key message names a key that this device does not hold, or not any more."""


class NoSenderKeyError(SignalError):
    """A message for a group is under a key that this device was not given."""


class ForgedMessageError(SignalError):
    """A message for a group is not signed by the key's owner, or was changed on the way."""


class UntrustedBundleError(SignalError):
    """The signature of a signed pre-key does not verify with the identity key beside it."""
