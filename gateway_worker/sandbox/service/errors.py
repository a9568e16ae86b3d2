"""Errors that the service raises to phones and to control."""

from __future__ import annotations


class ServiceError(Exception):
    """The service cannot do what was asked."""


class UnknownAccountError(ServiceError):
    """Nobody is registered under this address."""


class AccountExistsError(ServiceError):
    """The number or the LID is already taken."""


class UnknownRuleError(ServiceError):
    """No fault rule has this id."""


class PairingRefusedError(ServiceError):
    """A companion could not be linked; the message says why."""
