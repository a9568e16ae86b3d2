"""Commands keep their order while their session goes from worker to worker, several times over."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aio_pika
import orjson
import pytest

from gateway_contracts import CommandEnvelope, SessionMigrate, SessionMigrateData, encode
from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.broker.ack_writer import AckWriter
from gateway_worker.commands.deadlines import HOLD_SECONDS
from gateway_worker.devkit.backend import Backend
from gateway_worker.sessions.ports import PendingMarker
from gateway_worker.storage.db import Database, PostgresSessionStore
from tests.integration.commands.support import Station, working
from tests.integration.commands.test_order import outcomes
from tests.integration.commands.test_outcomes import nothing_is_left, send
from tests.integration.storage.db.support import OTHER, WORKER
from tests.support.eventually import eventually

THIRD = "third"


class Queues:
    """The workers' queues, filled and looked at as they are."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel, settings: BrokerSettings) -> None:
        self._channel = channel
        self._settings = settings

    async def put(self, worker: str, command: CommandEnvelope, **headers: Any) -> None:
        """Put a command into a worker's queue."""
        await self._publish(worker, encode(command), command.id, command.type, headers)

    async def mark(self, worker: str, session_id: str, epoch: int, **headers: Any) -> None:
        """Put a marker into a worker's queue."""
        body = orjson.dumps({"session": session_id, "epoch": epoch, "events": []})
        headers["wa-control"] = "marker"
        await self._publish(worker, body, f"marker {epoch}", None, headers)

    async def _publish(
        self,
        worker: str,
        body: bytes,
        message_id: str,
        kind: str | None,
        headers: dict[str, Any],
    ) -> None:
        message = aio_pika.Message(
            body,
            message_id=message_id,
            type=kind,
            headers=headers,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        topology = self._settings.topology
        key = topology.worker_key(worker)
        queue = await self._channel.get_queue(topology.worker_queue(worker))
        await queue.bind(topology.commands, routing_key=key)
        internal = await self._channel.get_exchange(topology.internal)
        await internal.publish(message, routing_key=key)

    async def bind(self, worker: str, session_id: str) -> None:
        """Route a session's commands into a worker's queue."""
        topology = self._settings.topology
        queue = await self._channel.get_queue(topology.worker_queue(worker))
        await queue.bind(topology.commands, routing_key=session_id)

    async def depth(self, worker: str) -> int:
        """Count what waits in a worker's queue."""
        name = self._settings.topology.worker_queue(worker)
        declared = await self._channel.declare_queue(name, passive=True)
        return declared.declaration_result.message_count or 0

    async def take(self, worker: str, count: int) -> Sequence[tuple[str, int | None]]:
        """Take messages out of a queue that nobody consumes: their ids and stages."""
        queue = await self._channel.get_queue(self._settings.topology.worker_queue(worker))
        taken: list[tuple[str, int | None]] = []
        async with queue.iterator(no_ack=True) as arriving:
            async for message in arriving:
                stage = message.headers.get("wa-stage")
                assert stage is None or isinstance(stage, int)
                taken.append((message.message_id or "", stage))
                if len(taken) == count:
                    break
        return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """A session `a` that goes from worker to worker, and the workers' queues."""

    database: Database
    settings: BrokerSettings
    backend: Backend
    queues: Queues
    directory: Path

    def working(
        self, worker_id: str = WORKER, *, hold_seconds: float = HOLD_SECONDS
    ) -> AbstractAsyncContextManager[Station]:
        """Run a worker."""
        return working(
            self.database,
            self.settings,
            self.directory / worker_id,
            worker_id=worker_id,
            hold_seconds=hold_seconds,
        )

    async def own(self, owner: str, *handovers: tuple[int, str]) -> None:
        """Give the session an owner, and handovers that are not through."""
        pending = [{"epoch": epoch, "queue_of": worker} for epoch, worker in handovers]
        epoch = handovers[-1][0] if handovers else 1
        async with self.database.direct("moving") as connection:
            await connection.execute(
                "UPDATE sessions SET worker_id = $1, epoch = $2, pending = $3::text::jsonb"
                " WHERE id = 'a'",
                owner,
                epoch,
                orjson.dumps(pending).decode(),
            )

    async def until_arrived(self, ids: Sequence[str]) -> None:
        """Wait until commands have ended and no handover is under way any more."""
        for command_id in ids:
            await self.backend.outcome(command_id)

        async def is_through() -> bool:
            return not await self.pending()

        await eventually(is_through, reason="every marker has come")

    async def has_left(self, epoch: int) -> bool:
        """Whether the marker of an epoch has left the queue that it ends."""
        return all(entry.left for entry in await self.pending() if entry.epoch == epoch)

    async def pending(self) -> Sequence[PendingMarker]:
        """Return the handovers that are under way."""
        row = await PostgresSessionStore(database=self.database).get("a")
        assert row is not None
        return row.pending


@pytest.fixture
async def moves(
    amqp_url: str, database: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> AsyncIterator[Moves]:
    """The queues of three workers, none of which runs."""
    for worker in (WORKER, OTHER, THIRD):
        async with Broker.open(settings, worker_id=worker):
            pass
    async with await aio_pika.connect(amqp_url) as connection:
        yield Moves(
            database=database,
            settings=settings,
            backend=backend,
            queues=Queues(await connection.channel(), settings),
            directory=tmp_path,
        )


async def test_what_is_still_at_a_former_owner_is_not_overtaken_by_its_marker(moves: Moves) -> None:
    """The session went on while commands of its first owner were in its second owner's queue."""
    await moves.own(WORKER, (2, OTHER), (3, THIRD))
    old, new, newest = (send("a") for _ in range(3))
    await moves.queues.put(THIRD, new)
    await moves.queues.put(
        THIRD, old, **{"wa-from": OTHER, "wa-stage": 2, "wa-hop": 2, "wa-hops": 1}
    )
    async with (
        moves.working() as owner,
        moves.working(OTHER) as first,
    ):
        await nothing_is_left(first)  # its marker is on its way
        await moves.backend.publish(newest)
        async with moves.working(THIRD):
            await moves.until_arrived([newest.id])
        assert outcomes(moves.backend, "a") == [old.id, new.id, newest.id]
        await nothing_is_left(owner)


async def test_a_worker_that_gets_a_session_back_tells_its_two_stints_apart(moves: Moves) -> None:
    """It has commands from before, another one has some from between, and new ones come."""
    await moves.own(WORKER, (2, WORKER), (3, OTHER))
    old, between, new = (send("a") for _ in range(3))
    await moves.queues.put(WORKER, old)
    await moves.queues.put(OTHER, between)
    async with moves.working():
        await eventually(lambda: moves.has_left(2), reason="its own marker has come out")
        await moves.backend.publish(new)
        async with moves.working(OTHER):
            await moves.until_arrived([old.id, between.id, new.id])
    assert outcomes(moves.backend, "a") == [old.id, between.id, new.id]


async def test_what_was_held_goes_on_before_the_marker_that_ends_it(moves: Moves) -> None:
    """A worker learns by the marker of its own queue that the session is somebody else's."""
    await moves.own(WORKER, (2, OTHER))
    commands = [send("a") for _ in range(3)]
    async with moves.working() as station:
        for command in commands:
            await moves.backend.publish(command)
        await eventually(lambda: station.dispatcher.held == len(commands))
        await moves.own(THIRD, (2, OTHER), (9, WORKER))
        await moves.queues.mark(WORKER, "a", 9)
        sent_on = await moves.queues.take(THIRD, 4)
        assert sent_on == [*((command.id, 9) for command in commands), ("marker 9", 9)]
        assert station.dispatcher.held == 0
        await nothing_is_left(station)
    assert outcomes(moves.backend, "a") == []


async def test_an_owner_that_dies_with_what_it_has_released_leaves_it_in_its_order(
    moves: Moves,
) -> None:
    """Three stages came in the wrong order; it has passed all markers and executed nothing yet."""
    await moves.own(WORKER, (2, OTHER), (3, OTHER), (4, OTHER))
    old, new = send("a"), send("a")
    for command, stage in ((new, 4), (old, 3)):
        way = {"wa-from": OTHER, "wa-stage": stage, "wa-hop": 4, "wa-hops": 1}
        await moves.queues.put(WORKER, command, **way)
        await moves.queues.mark(WORKER, "a", stage, **way)
    async with moves.working() as owner:
        await eventually(lambda: owner.dispatcher.held == 2, reason="what is older is to come")
        async with moves.database.transaction("standing in the way") as connection:
            await connection.execute("LOCK TABLE commands IN ACCESS EXCLUSIVE MODE")
            way = {"wa-from": OTHER, "wa-stage": 2, "wa-hop": 4}
            await moves.queues.mark(WORKER, "a", 2, **way)

            async def has_released() -> bool:
                return [entry.epoch for entry in await moves.pending()] == [3, 4]

            await eventually(has_released, reason="only what has ended is over")
            assert owner.dispatcher.held == 0
            await owner.kill()
    await moves.own(THIRD, (3, OTHER), (4, OTHER), (9, WORKER))
    async with moves.working(OTHER), moves.working(), moves.working(THIRD):
        await moves.until_arrived([old.id, new.id])
    assert list(dict.fromkeys(outcomes(moves.backend, "a"))) == [old.id, new.id]


async def test_forwarders_that_die_before_their_acknowledgements_leave_the_order(
    moves: Moves, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice, with a backlog in each queue; then the session is at its first worker again."""
    await moves.own(WORKER, (2, OTHER), (3, THIRD))
    commands = [send("a") for _ in range(18)]
    for number, command in enumerate(commands):
        await moves.queues.put((OTHER, THIRD, WORKER)[number // 6], command)
    await moves.queues.mark(OTHER, "a", 2)
    await moves.queues.mark(THIRD, "a", 3)

    with monkeypatch.context() as swallowed:
        swallowed.setattr(AckWriter, "acknowledge", lambda _writer, _tag: None)
        for life in (1, 2):
            async with moves.working(OTHER) as first, moves.working(THIRD) as second:

                async def have_forwarded(life: int = life) -> bool:
                    return await moves.queues.depth(WORKER) >= 6 + life * 14

                await eventually(have_forwarded, reason="both have published all they had")
                await first.kill()
                await second.kill()
    await moves.own(OTHER, (2, OTHER), (3, THIRD), (4, WORKER))
    async with moves.working(), moves.working(THIRD), moves.working(OTHER):
        await moves.until_arrived([command.id for command in commands])
    told = list(dict.fromkeys(outcomes(moves.backend, "a")))
    assert told == [command.id for command in commands]


async def test_a_command_that_is_published_again_while_its_session_moves_keeps_its_place(
    moves: Moves,
) -> None:
    """The copies come to the owner, one of them through the shared queue; the first is to come."""
    await moves.own(WORKER, (2, OTHER))
    first, second, third = (send("a") for _ in range(3))
    await moves.queues.put(OTHER, first)
    await moves.queues.put(OTHER, second)
    async with moves.working() as owner:
        for command in (third, second, first):
            await moves.backend.publish(command)
        await moves.queues.put(WORKER, second, **{"wa-from": "unknown", "wa-hop": 1})
        await eventually(lambda: owner.dispatcher.held == 4)
        async with moves.working(OTHER):
            await moves.until_arrived([third.id])
        await nothing_is_left(owner)
    assert list(dict.fromkeys(outcomes(moves.backend, "a"))) == [first.id, second.id, third.id]


async def test_a_move_takes_its_turn_among_the_commands_from_former_owners(moves: Moves) -> None:
    """It does not wait for those that were published after it."""
    await moves.own(WORKER, (2, OTHER))
    stay = SessionMigrate(
        source=moves.backend.source, subject="a", data=SessionMigrateData(to=WORKER)
    )
    commands = [send("a"), stay, send("a")]
    for command in commands:
        await moves.queues.put(OTHER, command)
    async with (
        moves.working(),
        moves.working(OTHER),
    ):
        await moves.until_arrived([command.id for command in commands])
    assert outcomes(moves.backend, "a") == [command.id for command in commands]


async def test_a_command_that_comes_before_its_session_waits_for_its_turn(moves: Moves) -> None:
    """Sent on to the owner before that has begun with the session."""
    await moves.own(OTHER)
    old, new = send("a"), send("a")
    await moves.queues.put(OTHER, old)
    async with moves.working() as owner:
        await moves.own(WORKER, (2, OTHER), (3, THIRD))
        await moves.queues.put(
            WORKER, new, **{"wa-from": THIRD, "wa-stage": 3, "wa-hop": 3, "wa-hops": 1}
        )
        await eventually(lambda: owner.dispatcher.held == 1)
        async with (
            moves.working(OTHER),
            moves.working(THIRD),
        ):
            await moves.until_arrived([new.id])
    assert outcomes(moves.backend, "a") == [old.id, new.id]


async def test_a_marker_that_nobody_waits_for_any_more_is_dropped(moves: Moves) -> None:
    """It was sent once more while it was on its way; what is behind it goes on."""
    await moves.own(WORKER)
    command = send("a")
    await moves.queues.mark(OTHER, "a", 1)
    await moves.queues.put(OTHER, command)
    async with (
        moves.working() as owner,
        moves.working(OTHER) as other,
    ):
        await moves.backend.outcome(command.id)
        await nothing_is_left(other)
        await nothing_is_left(owner)


async def test_a_session_that_is_routed_to_a_former_owner_as_well_is_turned_away_there(
    moves: Moves,
) -> None:
    """A worker that did not know yet that it had lost the session has bound it once more."""
    await moves.own(WORKER)
    await moves.queues.bind(OTHER, "a")
    commands = [send("a") for _ in range(3)]
    async with moves.working() as owner:
        async with moves.working(OTHER) as other:
            for command in commands:
                await moves.backend.publish(command)
            for command in commands:
                await moves.backend.outcome(command.id)
            await nothing_is_left(other)
            await other.stop()
        last = send("a")
        await moves.backend.request(last)
        assert await moves.queues.depth(OTHER) == 0
        await nothing_is_left(owner)
    told = list(dict.fromkeys(outcomes(moves.backend, "a")))
    assert told == [command.id for command in (*commands, last)]


async def test_a_session_that_is_here_again_is_not_turned_away(moves: Moves) -> None:
    """What is left of its last stay may be found after it has come back."""
    async with Broker.open(moves.settings, worker_id=OTHER) as broker:
        await broker.bindings.bind("a")
        broker.bindings.disown("a")
        await broker.bindings.bind("a")
        await broker.bindings.unbind_disowned("a")
        await moves.backend.publish(send("a"))
        assert await moves.queues.depth(OTHER) == 1
        broker.bindings.disown("a")
        await broker.bindings.unbind_disowned("a")
        await moves.backend.publish(send("a"))
        assert await moves.queues.depth(OTHER) == 1
