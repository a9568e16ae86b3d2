"""How a session's commands are brought along: bound, unbound, marked, until the marker comes."""

import asyncio
from collections.abc import Callable

import orjson
import pytest

from gateway_worker.errors import DependencyError
from gateway_worker.sessions.lease_state import LeaseState
from gateway_worker.sessions.ownership import rebinding
from gateway_worker.sessions.ownership.rebinding import Rebinder
from gateway_worker.sessions.ports import PendingMarker
from tests.support.bindings import MemoryBindings, MemoryBroker
from tests.support.eventually import eventually
from tests.support.pacing import consistently
from tests.support.publications import MemoryPublications


class Broker(MemoryBindings, MemoryPublications):
    """Notes what it is asked for, in order, and can be away."""

    def __init__(self) -> None:
        MemoryBindings.__init__(self, MemoryBroker(), worker_id="me")
        MemoryPublications.__init__(self)
        self.away = False
        self.asked: list[str] = []
        self.when_bound: Callable[[], object] = lambda: None

    def _note(self, what: str) -> None:
        if self.away:
            raise DependencyError("away")
        self.asked.append(what)

    async def bind(self, session_id: str) -> None:
        """Note it."""
        self._note(f"bind {session_id}")
        await super().bind(session_id)
        self.when_bound()

    async def unbind(self, session_id: str) -> None:
        """Note it."""
        self._note(f"unbind {session_id}")
        await super().unbind(session_id)

    async def unbind_from(self, session_id: str, worker_id: str) -> None:
        """Note it."""
        self._note(f"unbind {session_id} from {worker_id}")
        await super().unbind_from(session_id, worker_id)

    async def unbind_disowned(self, session_id: str) -> None:
        """Note it."""
        self._note(f"turn {session_id} away")
        await super().unbind_disowned(session_id)

    def disown(self, session_id: str) -> None:
        """Note it."""
        self.asked.append(f"disown {session_id}")
        super().disown(session_id)

    async def send_peer_message(
        self, kind: str, *, worker_id: str, body: bytes, message_id: str | None = None
    ) -> None:
        """Note it."""
        self._note(f"{kind} {orjson.loads(body)['epoch']} to {worker_id}")
        await super().send_peer_message(kind, worker_id=worker_id, body=body, message_id=message_id)


class Taking:
    """The routing of a worker `me`."""

    def __init__(self, *pending: PendingMarker) -> None:
        self.broker = Broker()
        self.pending = pending
        self.is_ours = True
        self.lease_state = LeaseState()
        self.lease_state.extend(float("inf"))
        self.rebinder = Rebinder(
            worker_id="me",
            bindings=self.broker,
            peer_messages=self.broker,
            pending=lambda _session_id: self.pending if self.is_ours else (),
            is_ours=lambda _session_id: self.is_ours,
            lease_state=self.lease_state,
        )


async def test_a_new_session_is_only_bound() -> None:
    taking = Taking()
    await taking.rebinder.take("s")
    assert taking.broker.asked == ["bind s"]


async def test_one_that_came_is_bound_before_it_is_unbound_and_marked() -> None:
    taking = Taking(
        PendingMarker(epoch=2, queue_of="alpha"), PendingMarker(epoch=3, queue_of="beta")
    )
    await taking.rebinder.take("s")
    assert taking.broker.asked == [
        "bind s",
        "unbind s from alpha",
        "unbind s from beta",
        "marker 2 to alpha",
        "marker 3 to beta",
    ]
    await taking.rebinder.close()


async def test_a_worker_marks_its_own_queue_before_anything_new_comes_into_it() -> None:
    """And does not unbind it."""
    taking = Taking(
        PendingMarker(epoch=2, queue_of="me"),
        PendingMarker(epoch=3, queue_of="beta"),
        PendingMarker(epoch=5, queue_of="me"),
        PendingMarker(epoch=7, queue_of="beta"),
    )
    await taking.rebinder.take("s")
    assert taking.broker.asked == [
        "marker 2 to me",
        "marker 5 to me",
        "bind s",
        "unbind s from beta",
        "marker 3 to beta",
        "marker 7 to beta",
    ]
    await taking.rebinder.close()


async def test_a_broker_that_is_away_is_asked_until_it_answers() -> None:
    taking = Taking(PendingMarker(epoch=2, queue_of="alpha"))
    taking.broker.away = True
    await taking.rebinder.take("s")
    assert taking.broker.asked == []
    taking.broker.away = False
    await eventually(lambda: "marker 2 to alpha" in taking.broker.asked)
    await taking.rebinder.close()


async def test_a_marker_that_does_not_come_is_sent_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rebinding, "REMINDER_SECONDS", 0.05)
    taking = Taking(PendingMarker(epoch=2, queue_of="alpha"))
    await taking.rebinder.take("s")
    await eventually(lambda: taking.broker.asked.count("marker 2 to alpha") >= 2)
    taking.pending = ()

    async def is_silent() -> bool:
        sent = len(taking.broker.asked)
        await consistently(lambda: len(taking.broker.asked) == sent, seconds=0.2)
        return True

    await eventually(is_silent)
    taking.rebinder.release("s")
    assert taking.broker.asked[-1] == "disown s"


async def test_a_worker_whose_lease_has_ended_meanwhile_takes_nothing_from_others() -> None:
    """It stood still in the middle of routing; once it has the lease again, it begins anew."""
    taking = Taking(PendingMarker(epoch=2, queue_of="alpha"))
    taking.broker.when_bound = taking.lease_state.lapse
    await taking.rebinder.take("s")
    assert taking.broker.asked == ["bind s"]
    taking.broker.when_bound = lambda: None
    taking.lease_state.extend(float("inf"))
    await eventually(lambda: "marker 2 to alpha" in taking.broker.asked)
    assert taking.broker.asked == ["bind s", "bind s", "unbind s from alpha", "marker 2 to alpha"]
    await taking.rebinder.close()


async def test_a_session_that_was_lost_is_not_routed_again() -> None:
    """Neither at all, nor in the background once the broker answers."""
    taking = Taking(PendingMarker(epoch=2, queue_of="alpha"))
    taking.broker.away = True
    await taking.rebinder.take("s")
    taking.is_ours = taking.broker.away = False
    await eventually(lambda: "route:s" not in {task.get_name() for task in asyncio.all_tasks()})
    await taking.rebinder.take("s")
    assert taking.broker.asked == []


async def test_a_session_that_is_lost_while_it_is_bound_is_unbound_again() -> None:
    """Nobody else would: its new owner has looked after that already."""
    taking = Taking(PendingMarker(epoch=2, queue_of="alpha"))

    def lose() -> None:
        taking.is_ours = False

    taking.broker.when_bound = lose
    await taking.rebinder.take("s")
    assert taking.broker.asked == ["bind s", "disown s", "turn s away"]
