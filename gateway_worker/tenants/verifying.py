"""Verifies who has sent a message."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from gateway_contracts.tenants import tenant_of_service
from gateway_worker.tenants.grants import EVERYTHING, NOTHING, Grant, of_tenant

USER_PREFIX: Final = "gateway-backend-"
"""What the name of a tenant's user at the broker begins with; the service follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a message says of its sender.

    Attributes:
        user_id: The user that the broker has compared with the connection's; None if the sender has
            not set the property.
        authorization: The header of that name.
        is_redelivered: The broker had handed it out before, as it says itself.
    """

    user_id: str | None = None
    authorization: object = None
    is_redelivered: bool = False


class Verifier(Protocol):
    """Verifies senders. Quick: it is called for each message, on the event loop."""

    @property
    def is_able(self) -> bool:
        """Whether it can say now who has sent a message; if not, messages are to wait."""
        ...

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` when `is_able` may be another."""
        ...

    def verify(self, claims: Claims) -> Grant:
        """Return what the sender may do. Never raises."""
        ...


class UserVerifier(Verifier):
    """Takes the broker's word: RabbitMQ refuses a message whose `user-id` is not its sender.

    Args:
        operators: Users that may command every session.
    """

    def __init__(self, *, operators: frozenset[str]) -> None:
        self._operators = operators

    @property
    def is_able(self) -> bool:
        """Always: the broker has said it with the message."""
        return True

    def watch(self, changed: Callable[[], None]) -> None:
        """Nothing changes."""

    def verify(self, claims: Claims) -> Grant:
        """Return what the user may do."""
        if claims.user_id is None:
            return NOTHING
        return EVERYTHING if claims.user_id in self._operators else _of_user(claims.user_id)


@lru_cache(maxsize=1_024)
def _of_user(user: str) -> Grant:
    if not user.startswith(USER_PREFIX):
        return NOTHING
    return of_tenant(tenant_of_service(user.removeprefix(USER_PREFIX)))
