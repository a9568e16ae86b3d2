"""Commands that their sender may not give: one constant answer, whatever the reason."""

from typing import Final

from gateway_contracts import (
    NO_SESSION,
    Command,
    CommandRejectedError,
    ErrorBody,
    ErrorCode,
    readable_id,
)
from gateway_contracts.tenants import name_within
from gateway_worker.commands.ports import Delivery
from gateway_worker.tenants.grants import Grant

_ERROR: Final = ErrorBody.of(ErrorCode.UNAUTHORIZED)


class UnauthorizedError(CommandRejectedError):
    """Its sender is not known, or may not do that; it is not executed, and its session not told.

    Args:
        command_id: The command's id, if that is known.
        command_type: Its type, likewise.
    """

    def __init__(self, *, command_id: str | None, command_type: str | None = None) -> None:
        super().__init__(_ERROR, command_id=command_id, command_type=command_type, has_subject=True)


def check_known(delivery: Delivery) -> None:
    """Refuse what comes from nobody who is known; nothing of its body is read.

    Raises:
        UnauthorizedError: It does.
    """
    if delivery.grant.is_nothing:
        raise UnauthorizedError(command_id=readable_id(delivery.message_id))


def check_covered(delivery: Delivery, command: Command) -> None:
    """Refuse what its sender may not do.

    Raises:
        UnauthorizedError: The grant does not cover it.
    """
    if not delivery.grant.covers(command):
        raise UnauthorizedError(command_id=command.id, command_type=command.type)


def subject_for(grant: Grant, session_id: str) -> str:
    """Return of what session a refusal is told: of one of its sender's, or of none."""
    return session_id if grant.owns(session_id) else name_within(grant.tenant, NO_SESSION)
