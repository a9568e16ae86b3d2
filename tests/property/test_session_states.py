"""The life of a session against the diagram in the contract, and what it announces on the way."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway_contracts import PairByQr, SessionState, SessionStatus, StatusReason
from gateway_worker.sessions.changes import Change, Committed, DesiredState
from gateway_worker.sessions.endings import ending_of
from gateway_worker.sessions.hosting import LinkEnded, PairingEnded
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.sessions.standing import Standing
from gateway_worker.sessions.states import IllegalTransitionError, is_running
from gateway_worker.sessions.surroundings import Surroundings
from tests.property.support import run

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


@dataclass(slots=True, kw_only=True)
class Around:
    """What a standing needs of its surroundings: it notes what is recorded."""

    loop: asyncio.AbstractEventLoop
    source: str = "/workers/w"
    worker_id: str = "w"
    changes: list[Change] = field(default_factory=list)
    fenced: bool = False

    recorder = background = routing = clock = property(lambda self: self)

    def record(self, change: Change) -> "asyncio.Future[Committed]":
        """Be the recorder."""
        done: asyncio.Future[Committed] = self.loop.create_future()
        if not self.fenced:
            self.changes.append(change)
        done.set_result(Committed(applied=not self.fenced, fenced=self.fenced))
        return done

    def post(self, _key: str, _work: Callable[[], Any]) -> None:
        """Be the background: the cache is not looked at here."""

    def now(self) -> datetime:
        """Be the clock."""
        return datetime(2026, 11, 24, tzinfo=UTC)


class SessionLife(RuleBasedStateMachine):
    """Commands, hosts and other workers do what they like to one session, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.around = Around(loop=self.loop)
        self.fence_calls = 0
        row = SessionRow(
            session_id="s",
            state=S.CREATED,
            desired=DesiredState.RUNNING,
            pairing=PairByQr(),
            device_name="Gateway",
            worker_id="w",
            epoch=3,
            created_at=self.around.now(),
        )
        self.standing = Standing(
            row=row, around=cast("Surroundings", self.around), on_fenced=self.on_fenced
        )
        self.standing.announce_created()
        self.model = S.CREATED
        self.told = 1

    def on_fenced(self) -> None:
        """Count: it is to be called once."""
        self.fence_calls += 1

    def steps(self, wanted: SessionState, step: Callable[[], None]) -> None:
        """Do a step and expect what the diagram says of it."""
        legal = wanted in ENDS | STARTS | DIAGRAM[self.model]
        if not legal:
            with pytest.raises(IllegalTransitionError, match=rf"from {self.model} to {wanted}$"):
                step()
            return
        step()
        self.model = wanted
        self.told += not self.around.fenced
        self.loop.run_until_complete(asyncio.sleep(0))

    @rule(wanted=st.sampled_from(S), reason=st.sampled_from(StatusReason))
    def enters(self, wanted: SessionState, reason: StatusReason) -> None:
        """Somebody wants another state."""
        self.steps(wanted, lambda: self.standing.enter(wanted, reason))

    @rule(reason=st.sampled_from(LINK_ENDINGS))
    def link_ends(self, reason: str) -> None:
        """The host says that there will be no more connection."""
        ending = ending_of(LinkEnded(reason=reason, detail="why", retry_after_seconds=60))
        self.steps(ending.state, lambda: self.standing.end(ending))
        if ending.final:
            assert not is_running(self.standing.state)

    @rule(timed_out=st.booleans())
    def pairing_ends(self, *, timed_out: bool) -> None:
        """The host says that nobody has linked it."""
        ending = ending_of(PairingEnded(timed_out=timed_out, detail="why"))
        self.steps(ending.state, lambda: self.standing.end(ending))

    @rule()
    def another_worker_has_it(self) -> None:
        """From here on nothing is written any more, which is noticed at the next change."""
        self.around.fenced = True

    @invariant()
    def it_stands_where_the_model_does(self) -> None:
        """And only what runs has a host."""
        assert self.standing.state is self.model
        assert is_running(self.model) is (self.model not in {*ENDS, S.CREATED})

    @invariant()
    def what_is_announced_is_an_unbroken_chain(self) -> None:
        """Each status begins where the one before has ended, and is what the row gets."""
        statuses = [
            (event.data, change)
            for change in self.around.changes
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
        if not self.around.fenced:
            assert previous is self.model

    @invariant()
    def losing_it_is_noticed_once(self) -> None:
        """However many changes are refused."""
        assert self.fence_calls == self.standing.fenced <= self.around.fenced

    def teardown(self) -> None:
        """Close the loop."""
        self.loop.close()


def test_a_session_lives_as_the_diagram_says() -> None:
    """Whatever happens to it."""
    run(SessionLife, examples=40, steps=30)
