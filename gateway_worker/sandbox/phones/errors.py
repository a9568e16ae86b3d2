"""What a phone's user can get wrong, or what did not happen on the phone."""

from __future__ import annotations


class PhoneError(Exception):
    """A phone cannot do what was asked."""


class InvalidQrError(PhoneError):
    """The text is not a pairing QR code."""


class NothingToEnterError(PhoneError):
    """No companion has asked this phone for a pairing code."""


class WrongCodeError(PhoneError):
    """The typed pairing code is not the companion's."""


class ForgedCompanionError(PhoneError):
    """The companion's signature under its device identity does not verify."""


class UnknownRecipientError(PhoneError):
    """Nobody is registered under this number or address."""


class UnknownMessageError(PhoneError):
    """This phone knows no message with this id."""


class UnknownDeviceError(PhoneError):
    """This phone has no such linked device."""


class InvalidContentError(PhoneError):
    """What was given as a message's content is none."""


class NotDeliveredError(PhoneError):
    """The service refused a message; the text has its error code."""


class NothingHappenedError(PhoneError, TimeoutError):
    """What was waited for did not happen in time."""


class NoMediaError(PhoneError):
    """The message has no file."""


class MediaUnavailableError(PhoneError):
    """The hosts refuse a phone's upload or download; the text has their status."""


class MediaDamagedError(PhoneError):
    """What was downloaded is not what the message announces.

    Attributes:
        what: `too_short`, `file_enc_sha256`, `mac`, `padding`, `file_sha256` or `file_length`.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"the file is not the one that was announced: {what}")
        self.what = what
