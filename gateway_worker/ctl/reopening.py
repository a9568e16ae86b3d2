"""Before a dead letter is replayed: its command's end is forgotten, so that it is tried again."""

from gateway_contracts import CommandRejectedError, parse_command
from gateway_worker.broker import DeadLetterView
from gateway_worker.commands.fingerprint import fingerprint
from gateway_worker.sessions.changes import CommandState
from gateway_worker.storage.db import PostgresInboxStore


class Reopening:
    """Reopens the commands of letters that are about to be replayed.

    Args:
        inbox: Where the commands' ends are.
        resend_uncertain: Reopen also what may have taken effect already.

    Attributes:
        reopened: How many commands had an end, and are executed again.
        told_only: The ends of those that keep theirs, by the letters' ids.
    """

    def __init__(self, *, inbox: PostgresInboxStore, resend_uncertain: bool) -> None:
        self._inbox = inbox
        self._states = {CommandState.FAILED}
        if resend_uncertain:
            self._states.add(CommandState.UNCERTAIN)
        self.reopened = 0
        self.told_only: dict[str, CommandState] = {}

    async def prepare(self, letter: DeadLetterView) -> None:
        """Reopen a letter's command if it has failed.

        Raises:
            DependencyError: The database cannot be used now.
        """
        try:
            command = parse_command(letter.body)
        except CommandRejectedError:
            return  # it never came into the inbox
        state = await self._inbox.reopen(
            command.id,
            session_id=command.subject,
            states=self._states,
            fingerprint=fingerprint(command),
        )
        if state in self._states:
            self.reopened += 1
        elif state in (CommandState.SUCCEEDED, CommandState.UNCERTAIN):
            self.told_only[letter.id] = state
