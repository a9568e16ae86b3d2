"""What workers log is changed for a while, here and elsewhere."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from gateway_contracts import FLEET, LogLevel
from gateway_worker.commands.log_levels import LogLevels, OwnLevel
from gateway_worker.errors import InvalidCommandError
from gateway_worker.runtime.clock import Clock, SystemClock
from gateway_worker.sessions.peer_messages import PeerMessage, PeerMessageKind, PeerMessages
from tests.support.eventually import eventually

ALIVE = ("w-0", "w-1")


class Sent(PeerMessages):
    """Takes messages to other workers."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, PeerMessage]] = []

    async def send_peer_message(
        self, kind: str, *, worker_id: str, body: bytes, message_id: str | None = None
    ) -> None:
        """Keep it."""
        self.messages.append((worker_id, PeerMessage.decode(kind, body)))


class Worker:
    """A worker, as far as it logs."""

    def __init__(self, name: str, *, clock: Clock | None = None) -> None:
        self.applied: list[LogLevel] = []
        self.sent = Sent()
        clock = clock or SystemClock()
        self.own = OwnLevel(usual=LogLevel.INFO, apply=self.applied.append, clock=clock)
        self.levels = LogLevels(
            worker_id=name, own=self.own, alive=self._alive, peers=self.sent, clock=clock
        )

    async def _alive(self) -> Sequence[str]:
        return ALIVE


async def test_all_workers_are_told() -> None:
    """Each does it when the message comes, and only the one that it is for."""
    first, second, third = Worker("w-0"), Worker("w-1"), Worker("w-2")

    told = await first.levels.set(LogLevel.DEBUG, worker=None, seconds=600)
    ((name, message),) = first.sent.messages
    second.levels.obey(message)
    third.levels.obey(message)

    assert (told.level, told.workers) == (LogLevel.DEBUG, ALIVE)
    assert timedelta(minutes=9) < told.until - datetime.now(UTC) <= timedelta(minutes=10)
    assert (name, message.session_id) == ("w-1", FLEET)
    assert first.applied == second.applied == [LogLevel.DEBUG]
    assert (first.own.level, third.own.level) == (LogLevel.DEBUG, LogLevel.INFO)


async def test_one_worker_is_told() -> None:
    """Another one is not, and a name that nobody has is refused."""
    worker = Worker("w-0")

    told = await worker.levels.set(LogLevel.ERROR, worker="w-1", seconds=600)
    with pytest.raises(InvalidCommandError) as refused:
        await worker.levels.set(LogLevel.ERROR, worker="w-9", seconds=600)

    assert told.workers == ("w-1",)
    assert [name for name, _ in worker.sent.messages] == ["w-1"]
    assert worker.applied == []
    assert refused.value.pointer == "/data/worker"


async def test_it_is_as_usual_again_by_itself() -> None:
    """After its time; a later request replaces one, with its time."""
    worker = Worker("w-0")
    now = datetime.now(UTC)

    worker.own.set(LogLevel.ERROR, until=now + timedelta(seconds=0.3))
    worker.own.set(LogLevel.DEBUG, until=now + timedelta(seconds=0.5))
    await eventually(lambda: worker.own.level is LogLevel.INFO, timeout_seconds=30)

    assert worker.applied == [LogLevel.ERROR, LogLevel.DEBUG, LogLevel.INFO]


async def test_what_comes_too_late_changes_nothing() -> None:
    """A worker may have been away meanwhile."""
    worker = Worker("w-0")

    worker.own.set(LogLevel.DEBUG, until=datetime.now(UTC) - timedelta(seconds=1))
    await asyncio.sleep(0)

    assert worker.applied == []


@pytest.mark.parametrize("events", [(), (b"{}",), (b'{"worker":"w-0","level":"loud"}',)])
def test_what_cannot_be_read_changes_nothing(events: tuple[bytes, ...]) -> None:
    """It is another release's."""
    worker = Worker("w-0")

    worker.levels.obey(PeerMessage(kind=PeerMessageKind.LOG_LEVEL, session_id=FLEET, events=events))

    assert worker.applied == []
