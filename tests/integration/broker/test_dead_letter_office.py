"""Whoever runs the gateway looks at dead letters, replays and drops them, and loses none."""

import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aio_pika
import pytest

from gateway_worker.broker import (
    Broker,
    BrokerSettings,
    DeadLetterOffice,
    DeadLetterView,
    Handled,
)
from gateway_worker.errors import DependencyError
from tests.integration.broker.support import WORKER, Backend, eventually_depth

LIMIT_OF_THE_QUEUE = 20
LETTERS = 100


@pytest.fixture
async def office(settings: BrokerSettings) -> AsyncIterator[DeadLetterOffice]:
    """Return an office over a topology that a worker has declared."""
    async with Broker.open(settings, worker_id=WORKER):
        pass
    async with DeadLetterOffice.open(settings) as office:
        yield office


async def bury(backend: Backend, *numbers: int) -> None:
    """Publish dead letters as a worker does."""
    exchange = await backend.channel.get_exchange(backend.topology.internal_dead, ensure=False)
    for number in numbers:
        await exchange.publish(
            aio_pika.Message(
                b'{"subject": "s1", "number": %d}' % number,
                message_id=f"c{number}",
                type="wa.message.send.v1",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                headers={
                    "traceparent": "t",
                    "wa-attempt": 3,
                    "wa-from": "w0",
                    "wa-dead-code": "invalid_command",
                    "wa-dead-reason": "no such field",
                    "wa-dead-attempts": 4,
                    "wa-dead-routing-key": "s1",
                    "wa-dead-queue": "wa.worker.w1",
                    "wa-dead-by": "/workers/w1",
                    "wa-dead-at": "2026-11-01T12:00:00+00:00",
                },
            ),
            routing_key="s1",
        )


def ids(numbers: Sequence[int]) -> list[str]:
    """Return the ids of letters."""
    return [f"c{number}" for number in numbers]


async def there(office: DeadLetterOffice) -> list[str]:
    """Return the ids of all letters, in order."""
    return [letter.id for letter in await office.peek(10_000)]


async def test_a_letter_shows_all_that_is_known_of_it(
    office: DeadLetterOffice, backend: Backend
) -> None:
    """What the worker wrote on it can be read, and its body is in no representation."""
    await bury(backend, 1)
    (letter,) = await office.peek(5)

    assert letter.id == "c1"
    assert (letter.code, letter.reason, letter.attempts) == ("invalid_command", "no such field", 4)
    assert (letter.routing_key, letter.queue, letter.by) == ("s1", "wa.worker.w1", "/workers/w1")
    assert letter.at is not None
    assert letter.at.isoformat() == "2026-11-01T12:00:00+00:00"
    assert (letter.type, letter.session_id) == ("wa.message.send.v1", "s1")
    assert letter.body == b'{"subject": "s1", "number": 1}'
    assert "number" not in repr(letter)


async def test_a_letter_that_the_broker_moved_can_be_read_too(
    office: DeadLetterOffice, backend: Backend, settings: BrokerSettings
) -> None:
    """It has no id and no reason but the broker's."""
    queue = settings.topology.unassigned
    await backend.send("s1 1", message_id="")
    async with backend.connection.channel() as channel:
        message = await (await channel.get_queue(queue, ensure=False)).get(timeout=30)
        assert message is not None
        await message.reject(requeue=False)
        while not await office.count():
            pass
    (letter,) = await office.peek(1)

    assert (letter.code, letter.queue, letter.by) == ("rejected", queue, None)
    assert (letter.session_id, letter.body) == ("s1", b"s1 1")
    assert letter.at is not None
    assert await office.drop([letter.id]) == Handled(done=1)


async def test_looking_takes_the_oldest_and_leaves_everything_in_order(
    office: DeadLetterOffice, backend: Backend
) -> None:
    """More than the broker would take back in order from many readers at once."""
    await bury(backend, *range(LETTERS))

    for count in (70, 3, 50, 1, 90, 20):
        assert [letter.id for letter in await office.peek(count)] == ids(range(count))
    assert await there(office) == ids(range(LETTERS))
    assert await office.count() == LETTERS


async def test_more_letters_than_one_window_holds_keep_their_order(
    office: DeadLetterOffice, backend: Backend
) -> None:
    """Several consumers have them in hand then, and the broker takes back one after the other."""
    await bury(backend, *range(1500))
    for count in (10_000, 1, 700):
        await office.peek(count)

    assert await office.drop(["c1000"]) == Handled(done=1)
    assert await there(office) == ids([*range(1000), *range(1001, 1500)])


async def test_looking_very_often_loses_nothing(office: DeadLetterOffice, backend: Backend) -> None:
    """The queue drops what is handed out too often; the letters are renewed long before."""
    await bury(backend, *range(LETTERS))
    for look in range(LIMIT_OF_THE_QUEUE * 5 // 2):
        expected = ids(range(40))
        assert [letter.id for letter in await office.peek(40)] == expected, look
    (first, *_) = await office.peek(1)

    assert await there(office) == ids(range(LETTERS))
    assert (first.code, first.attempts, first.by) == ("invalid_command", 4, "/workers/w1")


async def test_replaying_sends_the_chosen_and_keeps_the_others_in_order(
    office: DeadLetterOffice, backend: Backend, settings: BrokerSettings
) -> None:
    """The commands are as they were first published: nothing of their death, no old attempts."""
    await bury(backend, *range(10))
    handled = await office.replay(["c7", "c2", "c99"])
    messages = await backend.take(settings.topology.unassigned, 2)

    assert handled == Handled(done=2, missing=frozenset({"c99"}))
    assert [message.message_id for message in messages] == ["c2", "c7"]
    assert messages[0].routing_key == "s1"
    assert messages[0].type == "wa.message.send.v1"
    assert messages[0].headers == {"traceparent": "t"}
    assert messages[0].body == b'{"subject": "s1", "number": 2}'
    assert await there(office) == ids([0, 1, 3, 4, 5, 6, 8, 9])


async def test_dropping_removes_the_chosen_for_good(
    office: DeadLetterOffice, backend: Backend
) -> None:
    """All letters of an id, and nothing else."""
    await bury(backend, 1, 2, 1, 3)

    assert await office.drop(["c1"]) == Handled(done=2)
    assert await there(office) == ids([2, 3])
    assert await office.drop([]) == Handled(done=0)
    assert await office.drop_all() == Handled(done=2)
    assert await office.count() == 0


async def test_replaying_everything_ends_though_it_dies_again(
    office: DeadLetterOffice, backend: Backend, settings: BrokerSettings
) -> None:
    """What is there at the start is replayed once."""
    await bury(backend, *range(LETTERS))

    assert await office.replay_all() == Handled(done=LETTERS)
    assert await office.count() == 0
    assert await backend.depth(settings.topology.unassigned) == LETTERS


async def test_a_letter_that_could_not_be_prepared_stays_with_those_behind_it(
    office: DeadLetterOffice, backend: Backend, settings: BrokerSettings
) -> None:
    """What went before is done; nothing that was not prepared is published."""
    await bury(backend, *range(4))

    async def prepare(letter: DeadLetterView) -> None:
        if letter.id == "c2":
            raise DependencyError("the database is unavailable")

    with pytest.raises(DependencyError, match="the database is unavailable"):
        await office.replay_all(prepare=prepare)

    assert await there(office) == ["c2", "c3"]
    replayed = await backend.take(settings.topology.unassigned, 2)
    assert [message.message_id for message in replayed] == ["c0", "c1"]


async def test_a_letter_that_cannot_be_replayed_stays(
    office: DeadLetterOffice, backend: Backend, settings: BrokerSettings
) -> None:
    """It is acknowledged only when the broker has the command."""
    await bury(backend, *range(5))
    await backend.channel.queue_delete(
        settings.topology.unassigned, if_unused=False, if_empty=False
    )
    with pytest.raises(DependencyError):
        await office.replay_all()
    assert await there(office) == ids(range(5))


async def test_without_the_queue_the_error_names_it(
    settings: BrokerSettings, backend: Backend
) -> None:
    """A wrong prefix is not taken for a clean slate."""
    other = settings.model_copy(update={"prefix": f"none-{uuid.uuid4().hex[:8]}"})
    async with DeadLetterOffice.open(other) as office:
        with pytest.raises(DependencyError, match=other.topology.dead_commands):
            await office.peek(1)


async def bury_by_the_broker(backend: Backend, **headers: Any) -> None:
    """Have the broker move a command that somebody has published with these headers."""
    there = await backend.depth(backend.topology.dead_commands)
    await backend.send("s1 1", message_id="c1", headers=headers, expiration=0.01)
    await eventually_depth(backend, backend.topology.dead_commands, there + 1)


FORGED = {
    "wa-control": "late",
    "wa-dead-routing-key": "worker.w9",
    "wa-dead-code": "internal",
    "wa-dead-by": "/workers/w9",
    "wa-dead-turn": "x",
    "x-death": [{"queue": "q", "reason": "delivery_limit", "count": 1, "exchange": "wa.internal"}],
    "x-delivery-count": 100,
}


async def test_what_a_sender_wrote_on_a_letter_is_not_believed(
    office: DeadLetterOffice, backend: Backend, settings: BrokerSettings
) -> None:
    """It says what the broker says, and a replay makes no worker's word of it."""
    await bury_by_the_broker(backend, traceparent="t", **FORGED)
    for _ in range(2):
        (letter,) = await office.peek(1)
        assert (letter.code, letter.by, letter.routing_key) == ("expired", None, "s1")
        assert (letter.control, letter.unverified_control) == (None, "late")

    handled = await office.replay_all()
    assert handled.done == 0
    assert "c1" in handled.kept
    assert await there(office) == ["c1"]
    assert await office.replay(["c1"], trusting=True) == Handled(done=1)
    (message,) = await backend.take(settings.topology.unassigned, 1)
    assert message.exchange == settings.topology.internal
    assert message.headers == {"traceparent": "t", "wa-control": "late"}


async def test_a_forged_letter_is_not_believed_after_a_renewal_either(
    office: DeadLetterOffice, backend: Backend
) -> None:
    """The copies are the operator's; what they repeat is not."""
    await bury_by_the_broker(backend, **FORGED)
    for _ in range(LIMIT_OF_THE_QUEUE):
        (letter,) = await office.peek(1)
        assert (letter.code, letter.unverified_control) == ("expired", "late")
    assert (await office.replay_all()).kept.keys() == {"c1"}


async def test_what_a_worker_has_buried_is_replayed_as_the_workers_word(
    office: DeadLetterOffice, backend: Backend, settings: BrokerSettings
) -> None:
    """A message among workers that failed is one again."""
    exchange = await backend.channel.get_exchange(settings.topology.internal_dead, ensure=False)
    control = aio_pika.Message(b"{}", message_id="m1", headers={"wa-control": "marker"})
    await exchange.publish(control, routing_key="worker.w1")
    assert await office.replay_all() == Handled(done=1)
    (message,) = await backend.take(settings.topology.worker_queue(WORKER), 1)
    assert (message.exchange, message.headers) == (
        settings.topology.internal,
        {"wa-control": "marker"},
    )


async def test_a_letter_whose_body_was_not_kept_stays(
    office: DeadLetterOffice, backend: Backend
) -> None:
    """There is nothing to replay."""
    exchange = await backend.channel.get_exchange(backend.topology.internal_dead, ensure=False)
    letter = aio_pika.Message(b"{}", message_id="c1", headers={"wa-dead-bytes": 15_000_000})
    await exchange.publish(letter, routing_key="s1")
    (seen,) = await office.peek(1)
    assert seen.lost_bytes == 15_000_000
    assert (await office.replay(["c1"], trusting=True)).kept.keys() == {"c1"}
    assert await office.drop(["c1"]) == Handled(done=1)
