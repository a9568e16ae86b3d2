"""When a tenant's command begins, in its place among those of its session."""

import asyncio

from gateway_contracts import SessionGetStatus
from gateway_worker.broker.delivery import CommandDelivery
from gateway_worker.broker.room import Room
from gateway_worker.commands.attempts import Aside
from gateway_worker.commands.command_run import Alone
from gateway_worker.commands.lanes import Lane
from gateway_worker.commands.scheduler import Scheduler, Turn
from gateway_worker.commands.tenant_turns import Seat, TenantTurns
from gateway_worker.commands.work import InterleavedJob, Work
from gateway_worker.errors import CancelledError, TooManyCommandsError
from gateway_worker.tenants.quotas import TenantRates, TenantShares, TenantSlots
from tests.support.eventually import eventually
from tests.support.settling import MemorySettler
from tests.unit.broker.test_delivery_tracker import handle, message

UNLIMITED = TenantRates(per_second=0, burst=1, weights={})


def work_for(session_id: str, *, origin: str | None = "w1") -> Work:
    """Return a look-up that has come."""
    delivery = CommandDelivery(
        message=message(),
        handle=handle(1),
        key=None,
        queue="q",
        origin=origin,
        settler=MemorySettler(),
        room=Room.of_own(0),
    )
    command = SessionGetStatus(source="/backends/x", subject=session_id)
    return Work.of(delivery, command, puts_off=False)


class Running:
    """A scheduler whose items begin when their tenant lets them, and run until they are let go."""

    def __init__(self, shares: TenantShares) -> None:
        self._turns = TenantTurns(shares)
        self.scheduler: Scheduler[Work | InterleavedJob] = Scheduler(handle=self._handle)
        self.began: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    def post(self, session_id: str) -> Work:
        """Queue a command."""
        work = work_for(session_id)
        self.gates.setdefault(session_id, asyncio.Event())
        work.ticket = self.scheduler.post(session_id, work, lane=Lane.LOOKUPS)
        return work

    async def _handle(
        self, session_id: str, work: Work | InterleavedJob, turn: Turn[Work | InterleavedJob]
    ) -> None:
        assert isinstance(work, Work)
        with self._turns.seated(session_id, work, turn, seconds_left=None) as seat:
            if isinstance(seat, Seat):
                await seat.take()
            self.began.append(session_id)
            if work.failure is None:
                await self._run(session_id, seat)

    async def _run(self, session_id: str, seat: Aside) -> None:
        waiting = self.gates[session_id].wait()
        await (seat.aside(waiting) if session_id.endswith("aside") else waiting)


async def test_so_many_of_a_tenant_run_at_a_time_over_its_sessions() -> None:
    """Those of others, and of no tenant, run beside them; the next one begins when one ends."""
    running = Running(TenantShares(rates=UNLIMITED, slots=TenantSlots(at_a_time=2, weights={})))
    for session_id in ("acme.a", "acme.b", "acme.c", "acme.d", "mallory.a", "a"):
        running.post(session_id)
    await eventually(lambda: len(running.began) == 4)
    assert running.began == ["acme.a", "acme.b", "mallory.a", "a"]
    assert running.scheduler.stuck == 2
    running.gates["acme.a"].set()
    await eventually(lambda: running.began[4:] == ["acme.c"])
    for gate in running.gates.values():
        gate.set()
    await running.scheduler.join()
    assert running.began[5:] == ["acme.d"]


async def test_what_waits_for_something_else_leaves_its_slot_to_another() -> None:
    """It goes on all the same when that has come."""
    running = Running(TenantShares(rates=UNLIMITED, slots=TenantSlots(at_a_time=1, weights={})))
    running.post("acme.aside")
    running.post("acme.b")
    await eventually(lambda: running.began == ["acme.aside", "acme.b"])
    running.gates["acme.aside"].set()
    running.gates["acme.b"].set()
    await running.scheduler.join()


async def test_what_is_called_off_meanwhile_is_not_executed() -> None:
    """It comes to its end at once, and its slot is nobody's loss."""
    running = Running(TenantShares(rates=UNLIMITED, slots=TenantSlots(at_a_time=1, weights={})))
    running.post("acme.a")
    waiting = running.post("acme.b")
    await eventually(lambda: running.scheduler.stuck == 1)
    assert waiting.ticket is not None
    assert running.scheduler.call_off(waiting.ticket)
    await eventually(lambda: running.began == ["acme.a", "acme.b"])
    assert isinstance(waiting.failure, CancelledError)
    running.post("acme.c")
    running.gates["acme.a"].set()
    running.gates["acme.c"].set()
    await running.scheduler.join()
    assert running.began[-1] == "acme.c"


async def test_what_has_no_worker_is_refused_and_does_not_wait() -> None:
    """After as many as may begin; it has no place of its own to wait in."""
    shares = TenantShares(rates=TenantRates(per_second=0.001, burst=2, weights={}))
    turns = TenantTurns(shares)
    failures = []
    for _ in range(4):
        work = work_for("acme.new", origin=None)
        with turns.seated("acme.new", work, Alone(), seconds_left=None) as seat:
            assert isinstance(seat, Seat)
            assert not await seat.take()
        failures.append(work.failure)
    assert failures[:2] == [None, None]
    for failure in failures[2:]:
        assert isinstance(failure, TooManyCommandsError)
        assert (failure.retry_after_seconds or 0) > 900


class Concluding(Alone):
    """Notes that a command concludes."""

    concludes = False

    def conclude(self) -> None:
        """Note it."""
        self.concludes = True


async def test_a_seat_holds_up_no_send_that_need_not_wait() -> None:
    """That only a command's end is left to be written is for its session to know."""
    turns = TenantTurns(TenantShares(rates=UNLIMITED, slots=None))
    turn = Concluding()
    with turns.seated("acme.a", work_for("acme.a"), turn, seconds_left=None) as seat:
        seat.conclude()
    assert turn.concludes
