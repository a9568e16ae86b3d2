"""Errors that the hub raises to phones and to control."""

from __future__ import annotations


class HubError(Exception):
    """The hub cannot do what was asked."""


class UnknownAccountError(HubError):
    """Nobody is registered under this address."""


class AccountExistsError(HubError):
    """The number or the LID is already taken."""


class UnknownRuleError(HubError):
    """No fault rule has this id."""


class PairingRefusedError(HubError):
    """A companion could not be linked; the message says why."""
