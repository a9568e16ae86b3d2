"""What can go wrong for a client of the gateway."""

from gateway_contracts.errors import ErrorBody
from gateway_contracts.events.outcome import CommandFailed


class ClientError(Exception):
    """Something that a backend asked for did not happen, or nobody knows."""


class BrokerUnreachableError(ClientError):
    """The broker does not answer, or does not let this user in."""


class AccessRefusedError(ClientError):
    """The broker's user has no right to do this, or what it names is not there."""


class NotPublishedError(ClientError):
    """The broker has not confirmed a command in time; it may have it all the same.

    Publish the same command again, under the same id.
    """


class NoOutcomeError(ClientError):
    """No outcome has come in time; it may still come, and a repeat under the same id asks for it.

    Attributes:
        command_id: Of the command.
    """

    def __init__(self, command_id: str, seconds: float) -> None:
        super().__init__(f"no outcome of command {command_id} within {seconds:g} s")
        self.command_id = command_id


class CommandFailedError(ClientError):
    """The gateway says that a command has failed.

    Its text has no personal data.

    Attributes:
        event: The event that says so.
    """

    def __init__(self, event: CommandFailed) -> None:
        error = event.data.error
        super().__init__(f"{error.code}: {error.detail or error.title}")
        self.event = event

    @property
    def error(self) -> ErrorBody:
        """Why: a code, whether a repeat can help, and when."""
        return self.event.data.error


class UploadError(ClientError):
    """A file could not be put into the gateway's bucket."""
