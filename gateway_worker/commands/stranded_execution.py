"""Ends the commands of sessions that nobody can run."""

import structlog

from gateway_contracts import Command
from gateway_worker.commands.attempts import Attempts
from gateway_worker.commands.deferrals import Deferrals
from gateway_worker.commands.ends import CommandEnds, End, told_again
from gateway_worker.commands.handlers import HANDLERS, Context
from gateway_worker.commands.outcomes import Outcomes
from gateway_worker.commands.ports import Delivery, Entry, Verdict
from gateway_worker.commands.stopwatch import Stopwatch
from gateway_worker.commands.stranded import StrandedCommands
from gateway_worker.errors import (
    DatabaseUnavailableError,
    DependencyError,
    GatewayError,
    UncertainError,
)
from gateway_worker.sessions.ports import SessionRow

log = structlog.get_logger(__name__)


class StrandedExecutor:
    """Executes what needs no connection, and fails the rest.

    Args:
        worker_id: This worker.
        context: What handlers work with.
        attempts: Enters commands.
        ends: Brings them to their ends.
        deferred: Ends what waits for its time.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        context: Context,
        attempts: Attempts,
        ends: CommandEnds,
        deferred: Deferrals,
    ) -> None:
        self._attempts = attempts
        self._ends = ends
        self._outcomes = Outcomes(worker_id=worker_id)
        self._stranded = StrandedCommands(worker_id=worker_id, context=context, deferred=deferred)

    async def run(
        self, delivery: Delivery, command: Command, row: SessionRow, *, arrived: float
    ) -> bool:
        """End a command of a session that nobody can run; False if somebody has it by now."""
        stopwatch = Stopwatch(arrived=arrived)
        entry = await self._attempts.enter(command, epoch=row.epoch)
        self._attempts.traced(command)  # nobody is here to ask
        if entry.verdict is Verdict.FENCED:
            return False
        end = self._ends.answer_of(command, entry, row.epoch)
        if end is None:
            end = await self._end_stranded(command, entry, row)
        if (await self._ends.commit(delivery, command, end, stopwatch)).fenced:
            return False
        await self._ends.settle(delivery, command, end, stopwatch)
        log.warning("command.settled_for_stranded", outcome=end.name)
        return True

    async def _end_stranded(self, command: Command, entry: Entry, row: SessionRow) -> End:
        try:
            if entry.verdict is Verdict.INTERRUPTED and HANDLERS[command.type].once:
                raise UncertainError("the worker that was sending it is gone, with its notes")
            self._attempts.check_deadline(command)
            effect = await self._stranded.effect_of(command, row)
        except DatabaseUnavailableError:
            raise  # it waits
        except DependencyError as error:
            return self._ends.failure(command, error, entry, epoch=row.epoch, exhausted=True)
        except GatewayError as error:
            return self._ends.failure(command, error, entry, epoch=row.epoch)
        change = self._outcomes.success_of(command, effect, row.epoch, attempts=entry.attempts)
        return End(name="succeeded", change=told_again(change, entry))
