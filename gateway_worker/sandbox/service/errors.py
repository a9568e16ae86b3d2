"""Errors that the service raises to phones and to control."""

from __future__ import annotations


class ServiceError(Exception):
    """The service cannot do what was asked."""


class UnknownAccountError(ServiceError):
    """Nobody is registered under this address."""


class AccountExistsError(ServiceError):
    """The number or the LID is already taken."""


class UnknownCallError(ServiceError):
    """Nobody has placed this call."""


class UnknownRuleError(ServiceError):
    """No fault rule has this id."""


class PairingRefusedError(ServiceError):
    """A companion could not be linked; the message says why."""


class GroupRefusedError(ServiceError):
    """Something cannot be done with a group.

    Attributes:
        code: 403 not a member or not allowed, 404 no such group, 406 not acceptable.
        text: the service's word for it.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"the service refuses it: {text} ({code})")
        self.code = code
        self.text = text


class MediaRefusedError(ServiceError):
    """The hosts of files refuse an upload or a download.

    Attributes:
        status: of their HTTP answer.
        retry_after_seconds: how long they want to be left alone, if they say so.
    """

    def __init__(self, status: int, reason: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(f"{reason} ({status})")
        self.status = status
        self.retry_after_seconds = retry_after_seconds
