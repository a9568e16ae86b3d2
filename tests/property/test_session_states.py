"""The life of a session against the diagram in the contract, and what it announces on the way."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway_contracts import PairByQr, SessionState, SessionStatus, StatusReason
from gateway_worker.host_protocol.signals import Ended, PairingEnd, PairingFailed
from gateway_worker.runtime.background import Background
from gateway_worker.runtime.clock import SystemClock
from gateway_worker.sessions.changes import DesiredState
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.sessions.session.disconnects import disconnect_of
from gateway_worker.sessions.session.state import SessionStateMachine
from gateway_worker.sessions.session.transitions import IllegalTransitionError, is_running
from tests.property.support import run
from tests.support.ports import QuietRouteCache
from tests.support.recorder import MemoryRecorder

S = SessionState
ENDS = {S.STOPPED, S.LOGGED_OUT, S.BANNED, S.FAILED}
STARTS = {S.PAIRING, S.CONNECTING}
DIAGRAM: dict[SessionState, set[SessionState]] = {
    S.CREATED: set(),
    S.PAIRING: {S.RECONNECTING},
    S.CONNECTING: {S.CONNECTED, S.RECONNECTING},
    S.CONNECTED: {S.RECONNECTING},
    S.RECONNECTING: {S.CONNECTED, S.RECONNECTING},
    **{end: set() for end in ENDS},
}
"""Where a session can go besides an end, and besides a start, which are always possible."""

LINK_ENDINGS = (
    "logged_out", "replaced", "temporary_ban", "banned", "client_outdated", "refused",
    "store_lost", "store_unreachable", "unreachable", "something new",
)  # fmt: skip


class SessionLife(RuleBasedStateMachine):
    """Commands, hosts and other workers do what they like to one session, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.journal = MemoryRecorder()
        self.is_lost = False
        self.background = Background(name="test")
        clock = SystemClock()
        self.fence_calls = 0
        row = SessionRow(
            session_id="s",
            state=S.CREATED,
            desired=DesiredState.RUNNING,
            pairing=PairByQr(),
            device_name="Gateway",
            worker_id="w",
            epoch=3,
            created_at=clock.now(),
        )
        self.machine = SessionStateMachine(
            row=row,
            worker_id="w",
            recorder=self.journal,
            route_cache=QuietRouteCache(),
            background=self.background,
            clock=clock,
        )
        self.machine.when_fenced(self.on_fenced)
        self.do(self.machine.announce_created)
        self.model = S.CREATED
        self.told = 1

    def on_fenced(self) -> None:
        """Count: it is to be called once."""
        self.fence_calls += 1

    def do(self, step: Callable[[], None]) -> None:
        """Do something as a session does, and let the loop turn once."""

        async def done() -> None:
            step()
            await asyncio.sleep(0)

        self.runner.run(done())

    def steps(self, wanted: SessionState, step: Callable[[], None]) -> None:
        """Do a step and expect what the diagram says of it."""
        legal = wanted in ENDS | STARTS | DIAGRAM[self.model]
        if not legal:
            with pytest.raises(IllegalTransitionError, match=rf"from {self.model} to {wanted}$"):
                self.do(step)
            return
        self.do(step)
        self.model = wanted
        self.told += not self.is_lost

    @rule(wanted=st.sampled_from(S), reason=st.sampled_from(StatusReason))
    def enters(self, wanted: SessionState, reason: StatusReason) -> None:
        """Somebody wants another state."""
        self.steps(wanted, lambda: self.machine.enter(wanted, reason))

    @rule(reason=st.sampled_from(LINK_ENDINGS))
    def link_ends(self, reason: str) -> None:
        """The host says that there will be no more connection."""
        ending = disconnect_of(Ended(reason=reason, detail="why", retry_after_seconds=60))
        self.steps(ending.state, lambda: self.machine.end(ending))
        if ending.final:
            assert not is_running(self.machine.state)

    @rule(end=st.sampled_from(PairingEnd))
    def pairing_ends(self, *, end: PairingEnd) -> None:
        """The host says that nobody has linked it."""
        ending = disconnect_of(PairingFailed(end=end, detail="why"))
        self.steps(ending.state, lambda: self.machine.end(ending))

    @rule()
    def another_worker_has_it(self) -> None:
        """From here on nothing is written any more, which is noticed at the next change."""
        self.journal.lose("s")
        self.is_lost = True

    @invariant()
    def it_stands_where_the_model_does(self) -> None:
        """And only what runs has a host."""
        assert self.machine.state is self.model
        assert is_running(self.model) is (self.model not in {*ENDS, S.CREATED})

    @invariant()
    def what_is_announced_is_an_unbroken_chain(self) -> None:
        """Each status begins where the one before has ended, and is what the row gets."""
        statuses = [
            (event.data, change)
            for change in self.journal.applied
            for event in change.events
            if isinstance(event, SessionStatus)
        ]
        assert len(statuses) == self.told
        previous: SessionState | None = None
        for data, change in statuses:
            assert data.previous is previous
            assert change.session is not None
            assert change.session.state is data.state
            assert change.epoch == 3
            previous = data.state
        if not self.is_lost:
            assert previous is self.model

    @invariant()
    def losing_it_is_noticed_once(self) -> None:
        """However many changes are refused."""
        assert self.fence_calls == self.machine.fenced <= self.is_lost

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.runner.run(self.background.join())
        self.runner.close()


def test_a_session_lives_as_the_diagram_says() -> None:
    """Whatever happens to it."""
    run(SessionLife, examples=40, steps=30)
