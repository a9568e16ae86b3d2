"""Commands, sessions and their owners in a real database against a model of what is promised.

Three workers share two sessions. Each goes by what it believes: one that has lost its lease goes on
for a while as if nothing had happened. Whatever they do, in any order:

- a command gets one outcome, and whoever meets it again gets that one;
- what says something else under its id is told so, and changes nothing;
- a run that somebody began and nobody ended shows as interrupted, one that was suspended does not;
- a worker that is not the owner any more writes nothing;
- the events of a session are numbered without a gap, and its owner is to publish those that wait.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway_contracts import (
    Done,
    SentInfo,
)
from gateway_worker.commands.ports import Entry, Received, Verdict
from gateway_worker.devkit.services import Services
from gateway_worker.sessions.changes import (
    Change,
    Committed,
    Outcome,
    Transfer,
    TransferRefusedError,
)
from gateway_worker.storage.db import (
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresSessionStore,
    PostgresWorkerStore,
)
from tests.integration.storage.db.support import CHAT, NOW, SEND, session_row
from tests.property.command_model import (
    EVERYTHING,
    Bench,
    Known,
    Owned,
    Run,
    Worker,
    ending,
    open_bench,
)
from tests.property.support import run

NUMBERS = itertools.count(1)
WORKERS, SESSIONS = 3, 2
workers = st.integers(0, WORKERS - 1)
endings = st.sampled_from(("ended", "ended", "suspended", "restarted", "failed over"))
commands = st.sampled_from(("a", "a", "b", "shared"))
contents = st.sampled_from(("one", "one", "one", "other"))


class CommandLife(RuleBasedStateMachine):
    """The model, beside the real stores."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench
        self.inbox = PostgresInboxStore(database=bench.database)
        self.store = PostgresSessionStore(database=bench.database)
        self.prefix = f"p{next(NUMBERS)}"
        self.workers = [self.new_worker(f"{self.prefix}w{number}") for number in range(WORKERS)]
        self.sessions: dict[str, Owned] = {}
        self.commands: dict[str, Known] = {}
        for number in range(SESSIONS):
            worker, name = self.workers[number % WORKERS], f"{self.prefix}s{number}"
            bench.do(self.store.create(session_row(name, worker_id=worker.name)))
            worker.epochs[name] = 1
            self.sessions[name] = Owned(owner=worker.name)

    def new_worker(self, name: str) -> Worker:
        """Register a worker whose lease outlasts the test."""
        row = PostgresWorkerStore(database=self.bench.database, worker_id=name, lease_seconds=3600)
        self.bench.do(row.register(version="1", capacity=100))
        changes = PostgresChangeStore(database=self.bench.database, worker_id=name)
        return Worker(name=name, changes=changes, row=row)

    def commit(self, worker: Worker, change: Change) -> Committed:
        """Commit one change."""
        (done,) = self.bench.do(worker.changes.commit([change]))
        return done

    # What workers do.

    def idle(self) -> list[tuple[Worker, str]]:
        """Return the sessions in which a worker that believes to own them executes nothing."""
        return [
            (worker, name)
            for worker in self.workers
            for name in worker.epochs
            if name not in worker.runs
        ]

    def busy(self) -> list[tuple[Worker, str]]:
        """Return the sessions in which a worker executes something."""
        return [(worker, name) for worker in self.workers for name in worker.runs]

    @precondition(lambda self: self.idle())
    @rule(
        data=st.data(),
        arrivals=st.lists(st.tuples(endings, commands, contents), min_size=1, max_size=5),
    )
    def deliver(self, data: st.DataObject, arrivals: list[tuple[str, str, str]]) -> None:
        """Commands arrive, for the first time or again, where somebody believes to be right.

        Before each of them what runs there comes to some kind of end; what has not ended for good
        is delivered once more.
        """
        taker, name = data.draw(st.sampled_from(self.idle()))
        for end, command, content in arrivals:
            said = content
            command_id = f"{self.prefix}{command}{'' if command == 'shared' else name}"
            if (ran := taker.runs.get(name)) is not None:
                taker = self.comes_to(end, taker, name)
                if end != "ended":  # it comes once more as it was
                    command_id, said = ran.command, self.commands[ran.command].said
            if name in taker.epochs and name not in taker.runs:
                self.given(taker, name, command_id, said)

    def comes_to(self, end: str, worker: Worker, name: str) -> Worker:
        """End what a worker executes in a session; returns who has the session then."""
        if end == "restarted":
            return self.restarts(worker)
        if end == "failed over":
            taker = self.workers[self.workers.index(worker) - 1]
            self.loses_lease(worker)
            self.takes_over(taker)
            return taker if name in taker.epochs else worker
        if end == "suspended":
            self.puts_back(worker, name)
        else:
            self.ends(worker, name)
        return worker

    def given(self, taker: Worker, name: str, command_id: str, said: str) -> None:
        """Give a worker a command for a session that it believes to own."""
        epoch = taker.epochs[name]
        (entry,) = self.bench.do(
            self.inbox.enter(
                [
                    Received(
                        command_id=command_id,
                        session_id=name,
                        command_type=SEND,
                        worker_id=taker.name,
                        epoch=epoch,
                        fingerprint=said,
                    )
                ]
            )
        )
        assert replace(entry, received_at=None) == self.expected(command_id, name, epoch, said)
        if entry.verdict is Verdict.FENCED:
            taker.forget(name)
        elif entry.verdict in (Verdict.NEW, Verdict.INTERRUPTED):
            known = self.commands.setdefault(command_id, Known(session=name, said=said))
            known.attempts = entry.attempts
            known.run_of = (taker.name, epoch)
            taker.runs[name] = Run(command=command_id, epoch=epoch, attempts=entry.attempts)

    def expected(self, command_id: str, session: str, epoch: int, said: str) -> Entry:  # noqa: PLR0911 - as many as answers
        """Return what the inbox should say."""
        if epoch != self.sessions[session].epoch:
            return Entry(verdict=Verdict.FENCED, attempts=0)
        known = self.commands.get(command_id)
        if known is None:
            return Entry(verdict=Verdict.NEW, attempts=1)
        if known.session != session:
            return Entry(verdict=Verdict.TAKEN, attempts=0)
        if known.said != said:
            return Entry(verdict=Verdict.DIFFERENT, attempts=0)
        if known.outcome is not None:
            return Entry(verdict=Verdict.FINISHED, attempts=known.attempts, outcome=known.outcome)
        if known.run_of is None:
            return Entry(verdict=Verdict.NEW, attempts=known.attempts + 1)
        previous_worker, previous_epoch = known.run_of
        return Entry(
            verdict=Verdict.INTERRUPTED,
            attempts=known.attempts + 1,
            previous_worker=previous_worker,
            previous_epoch=previous_epoch,
        )

    @precondition(lambda self: self.busy())
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """A worker ends what it executes; whoever has lost the session writes nothing."""
        self.ends(*data.draw(st.sampled_from(self.busy())))

    def ends(self, doer: Worker, name: str) -> None:
        """Commit the good end of what a worker executes in a session."""
        ran = doer.runs.pop(name)
        outcome = Outcome(
            command_id=ran.command,
            command_type=SEND,
            result=SentInfo(message_id=f"M{ran.attempts}", chat=CHAT, timestamp=NOW),
            attempts=ran.attempts,
        )
        done = self.commit(doer, ending(doer, name, outcome, ran.epoch))
        owned = self.sessions[name]
        assert done.fenced is (ran.epoch != owned.epoch)
        if done.fenced:
            doer.forget(name)
            return
        known = self.commands[ran.command]
        assert done.applied
        known.outcome, known.run_of = outcome, None
        owned.events += 1

    @precondition(lambda self: self.busy())
    @rule(data=st.data())
    def suspend(self, data: st.DataObject) -> None:
        """A worker puts back what it knows to have had no effect."""
        self.puts_back(*data.draw(st.sampled_from(self.busy())))

    def puts_back(self, doer: Worker, name: str) -> None:
        """Suspend what a worker executes in a session."""
        ran = doer.runs.pop(name)
        self.bench.do(
            self.inbox.suspend(ran.command, session_id=name, worker_id=doer.name, epoch=ran.epoch)
        )
        known = self.commands[ran.command]
        if known.run_of == (doer.name, ran.epoch):
            known.run_of = None

    # What happens to them.

    @precondition(lambda self: any(worker.leased for worker in self.workers))
    @rule(data=st.data())
    def lose_lease(self, data: st.DataObject) -> None:
        """A worker is cut off, or frozen, and does not know."""
        self.loses_lease(data.draw(st.sampled_from([each for each in self.workers if each.leased])))

    def loses_lease(self, loser: Worker) -> None:
        """End a worker's lease."""
        loser.leased = False
        ended = "UPDATE workers SET lease_expires_at = now(), lease_seconds = 0 WHERE id = $1"
        self.bench.ask(ended, loser.name)

    @rule(worker=workers)
    def restart(self, worker: int) -> None:
        """A worker comes back as a new process: it knows what the database knows."""
        self.restarts(self.workers[worker])

    def restarts(self, worker: Worker) -> Worker:
        """Return the new process."""
        name = worker.name
        back = self.workers[self.workers.index(worker)] = self.new_worker(name)
        for row in self.bench.do(self.store.owned_by(name)):
            claimed = self.bench.do(self.store.claim(row.session_id, name))
            assert claimed is not None
            back.epochs[row.session_id] = claimed.epoch
            self.sessions[row.session_id].epoch += 1
        self.believes_what_is_true(back)
        return back

    def orphaned(self) -> bool:
        """Return whether a session could be taken over."""
        dead = {worker.name for worker in self.workers if not worker.leased}
        return any(owned.owner in dead for owned in self.sessions.values())

    @precondition(lambda self: self.orphaned())
    @rule(worker=workers)
    def take_over(self, worker: int) -> None:
        """A worker takes the sessions of those whose leases have ended, if its own is valid."""
        self.takes_over(self.workers[worker])

    def takes_over(self, taker: Worker) -> None:
        """Take what the model says, no more and no less."""
        dead = {each.name for each in self.workers if not each.leased} - {taker.name}
        taken = self.bench.do(self.store.take_over(taker.name, limit=100))
        wanted = {
            name for name, owned in self.sessions.items() if taker.leased and owned.owner in dead
        }
        assert {row.session_id for row in taken} == wanted
        for row in taken:
            owned = self.sessions[row.session_id]
            owned.epoch += 1
            owned.pending.append((owned.epoch, owned.owner))
            owned.owner = taker.name
            taker.forget(row.session_id)
            taker.epochs[row.session_id] = row.epoch
            assert row.epoch == owned.epoch

    @precondition(lambda self: self.idle())
    @rule(data=st.data())
    def migrate(self, data: st.DataObject) -> None:
        """A worker gives a session away, together with the outcome of the command that asked."""
        source, name = data.draw(st.sampled_from(self.idle()))
        target = data.draw(st.sampled_from([one for one in self.workers if one is not source]))
        owned, epoch = self.sessions[name], source.epochs[name]
        command_id = f"{self.prefix}m{len(self.commands)}"
        outcome = Outcome(command_id=command_id, command_type=SEND, result=Done())
        change = ending(source, name, outcome, epoch, transfer=Transfer(to_worker=target.name))
        current = epoch == owned.epoch
        if current and not target.leased:
            with pytest.raises(TransferRefusedError):
                self.commit(source, change)
            return
        done = self.commit(source, change)
        assert (done.transferred, done.fenced) == (current, not current)
        source.forget(name)
        if current:
            self.commands[command_id] = Known(session=name, attempts=1, outcome=outcome)
            owned.events += 1
            owned.epoch += 1
            owned.pending.append((owned.epoch, source.name))
            owned.owner = target.name
            target.forget(name)
            target.epochs[name] = owned.epoch

    def moved(self) -> list[str]:
        """Return the sessions with a change of owner that is not through."""
        return [name for name, owned in self.sessions.items() if owned.pending]

    @precondition(lambda self: self.moved())
    @rule(data=st.data())
    def marker_arrives(self, data: st.DataObject) -> None:
        """The oldest change of owner is through; only its present owner may note that."""
        name = data.draw(st.sampled_from(self.moved()))
        owned = self.sessions[name]
        marker = owned.pending[0][0]
        stale = self.store.markers_passed(name, epoch=owned.epoch - 1, up_to=marker)
        assert not self.bench.do(stale)
        seen = self.store.markers_passed(name, epoch=owned.epoch, up_to=marker)
        assert self.bench.do(seen)
        del owned.pending[0]

    # What must be true.

    def believes_what_is_true(self, worker: Worker) -> None:
        """A worker that has just looked knows its own sessions and no other."""
        assert worker.epochs == {
            name: owned.epoch for name, owned in self.sessions.items() if owned.owner == worker.name
        }

    @invariant()
    def everything_is_as_it_should_be(self) -> None:
        """Look at all that the database has of this example."""
        found = self.bench.ask(EVERYTHING, self.prefix)
        self.sessions_are_owned(found["sessions"] or [])
        self.outcomes_are_told(found["events"] or [])
        self.commands_stand(found["commands"] or [])

    def sessions_are_owned(self, rows: list[dict[str, Any]]) -> None:
        """By one worker, under one epoch, with the changes of owner that are under way."""
        assert {
            row["id"]: Owned(
                owner=row["worker_id"],
                epoch=row["epoch"],
                events=row["last_sequence"],
                pending=[(marker["epoch"], marker["queue_of"]) for marker in row["pending"]],
            )
            for row in rows
        } == self.sessions

    def outcomes_are_told(self, rows: list[dict[str, Any]]) -> None:
        """Once, in their places, by events that the session's present owner publishes."""
        for name, owned in self.sessions.items():
            mine = [row for row in rows if row["session_id"] == name]
            assert [row["sequence"] for row in mine] == list(range(1, owned.events + 1))
            assert {row["worker_id"] for row in mine} <= {owned.owner}
        assert sorted(row["correlation_id"] for row in rows) == sorted(
            command for command, known in self.commands.items() if known.outcome is not None
        )

    def commands_stand(self, rows: list[dict[str, Any]]) -> None:
        """Executing in one worker, put back, or at their end."""
        assert {row["id"] for row in rows} == set(self.commands)
        for row in rows:
            known = self.commands[row["id"]]
            assert (row["session_id"], row["attempts"]) == (known.session, known.attempts)
            if known.outcome is not None:
                assert row["state"] == "succeeded"
            elif known.run_of is None:
                assert row["state"] == "received"
            else:
                now = (row["state"], row["worker_id"], row["epoch"])
                assert now == ("executing", *known.run_of)

    def teardown(self) -> None:
        """Leave nothing for the next example to take over."""
        self.bench.ask("DELETE FROM sessions WHERE starts_with(id, $1 || 's')", self.prefix)


@pytest.fixture
def bench(services: Services, database_template: str) -> Iterator[Bench]:
    """Open a database for all examples: each has names of its own."""
    with open_bench(services.database_url, database_template) as bench:
        yield bench


def test_a_command_happens_once_whoever_owns_its_session(bench: Bench) -> None:
    """Whatever order deliveries, ends, losses, takeovers and migrations come in."""

    class OnThisBench(CommandLife):
        def __init__(self) -> None:
            super().__init__(bench)

    run(OnThisBench, examples=20, steps=15)
