"""What a command waits for before it is executed: its session, a file, its session's pacing.

Others of its session may run meanwhile, so after each wait the command begins anew.
"""

import contextlib
import time
from typing import NoReturn

from gateway_contracts import Command
from gateway_worker.commands.attempts import Attempts
from gateway_worker.commands.command_run import Run
from gateway_worker.commands.handlers import HANDLERS, Context, Needs
from gateway_worker.commands.lanes import Passing
from gateway_worker.commands.pacing.pace import Pace, Wait
from gateway_worker.errors import GatewayError
from gateway_worker.host_protocol.methods.chats import TYPING, ShowTyping
from gateway_worker.runtime.bounds import shortest
from gateway_worker.sessions.session.session import Session

_DEFERRED_WAIT_SECONDS = 1.0
"""How long what was put off waits for its session's pacing in its place; beyond that it takes no
place, is left, and comes again: what somebody waits for goes before, and others are fed."""


class WaitedError(Exception):
    """A command has waited for what it needs; it is to be entered again."""


class Waits:
    """Lets commands wait.

    Args:
        context: What handlers work with.
        attempts: Suspends commands.
    """

    def __init__(self, *, context: Context, attempts: Attempts) -> None:
        self._context = context
        self._manager = context.manager
        self._attempts = attempts

    @staticmethod
    def _is_worth_waiting(needs: Needs, session: Session, run: Run) -> float:
        """Return for how many seconds a command may wait for its session before it is executed."""
        if needs is Needs.QR:
            may_come = session.qr.is_about_to_show and not run.has_waited
            return session.qr.wait_seconds if may_come else 0.0
        return 0.0 if session.is_connected else session.seconds_to_connect(run.arrived)

    async def await_session(self, command: Command, run: Run) -> None:
        """Wait for a session that is about to connect, or to show a code.

        Raises:
            WaitedError: It has waited, and others of its session may have run: it begins anew.
        """
        needs = HANDLERS[command.type].needs
        if needs is Needs.NOTHING:
            return
        session = await self._manager.find(command.subject)
        seconds = self._is_worth_waiting(needs, session, run)
        if seconds <= 0:
            return
        waiting = session.qr.until_shown() if needs is Needs.QR else session.until_connected()
        began = time.monotonic()
        await self._attempts.suspended(
            command, waiting, run.turn, seconds=seconds, passing=Passing.LANE
        )
        run.stopwatch.waited("connecting", began)
        run.has_waited = True
        raise WaitedError

    async def prepare(self, command: Command, run: Run) -> None:
        """Have what takes long to have; sends to other chats run meanwhile.

        Raises:
            GatewayError: It is not to be had.
            WaitedError: It is there now, or has failed: the command begins anew.
        """
        if run.preparing.is_over:
            return
        session = await self._manager.find(command.subject)
        working = run.preparing.run(session)
        began = time.monotonic()
        await self._attempts.suspended(command, working, run.turn, passing=Passing.OTHER_ORDERS)
        run.stopwatch.waited("preparing", began)
        if run.preparing.is_ready:
            run.began = time.monotonic()  # what it took says nothing of what it is for
        raise WaitedError

    async def keep_pace(self, command: Command, recipient: str, run: Run) -> None:
        """Hold a message back for as long as its session's pacing says.

        Raises:
            PacedError: For longer than it may wait.
            GatewayError: Nothing can be sent now anyway; as `Session.request` would say.
            WaitedError: It has waited, and others of its session may have run: it begins anew.
        """
        pacer, session = self._context.pacer, self._manager.registry.find(command.subject)
        if pacer is None or session is None:
            return
        pacing = session.settings.pacing
        if run.pace is None:
            if pacer.plan_of(pacing) is None:
                return
            run.pace = Pace(
                pacer=pacer,
                session_id=session.session_id,
                recipient=recipient,
                created_at=session.created_at,
            )
        longest = shortest(
            _DEFERRED_WAIT_SECONDS if run.is_deferred else pacer.longest_wait_seconds,
            self._attempts.seconds_left(command),
            run.seconds_left,
        )
        wait = await run.pace.next_wait(pacing, longest_seconds=longest)
        if wait is not None:
            session.check_connected()  # else there is nothing to wait for, and it would not wait
            await self._hold(command, session, run, wait)
        characters = HANDLERS[command.type].typed(command)
        seconds = run.pace.typing_seconds(characters, longest_seconds=longest)
        if seconds > 0:
            with contextlib.suppress(GatewayError):  # then nobody sees it
                await session.request(ShowTyping(chat=recipient, state=TYPING))
            typing = Wait(seconds=seconds, passing=Passing.OTHER_ORDERS)
            await self._hold(command, session, run, typing)

    async def _hold(self, command: Command, session: Session, run: Run, wait: Wait) -> NoReturn:
        """Hold a message back for a while.

        Raises:
            WaitedError: It has waited, and others of its session may have run: it begins anew.
        """
        began = time.monotonic()
        waiting = session.until_idle_or_set(seconds=wait.seconds)
        await self._attempts.suspended(command, waiting, run.turn, passing=wait.passing)
        run.stopwatch.waited("paced", began)
        run.began = time.monotonic()  # that it was held back says nothing of what it is for
        if run.pace is not None:
            run.pace.waited_seconds += run.began - began
        raise WaitedError
