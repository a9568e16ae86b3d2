"""A recorder keeps the same promises in the database and in a test's memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest

from gateway_worker.errors import PermanentError
from gateway_worker.outbox.recorder import Recorder as DatabaseRecorder
from gateway_worker.sessions.changes import Direction, Transfer, TransferRefusedError
from gateway_worker.sessions.ports import Recorder
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresInboxStore
from tests.integration.storage.db.support import (
    WORKER,
    message,
    opened,
    receipt,
    received,
    session_row,
    status,
)
from tests.support.proxy import TcpProxy
from tests.support.recorder import MemoryRecorder


@dataclass(frozen=True, kw_only=True)
class Place:
    """A recorder of the session `s` under epoch 1, and what can happen around it.

    Attributes:
        recorder: The port.
        begin_send: Has a send of the session begin.
        go_away: Makes it unable to write.
        come_back: Makes it able again.
    """

    recorder: Recorder
    begin_send: Callable[[], Awaitable[object]]
    go_away: Callable[[], Awaitable[object]]
    come_back: Callable[[], Awaitable[object]]


def in_memory() -> Place:
    """Return a recorder of tests."""
    recorder = MemoryRecorder(epochs={"s": 1})

    async def begin_send() -> None:
        recorder.executing.add("s")

    async def go_away() -> None:
        recorder.is_away = True

    async def come_back() -> None:
        recorder.come_back()

    return Place(recorder=recorder, begin_send=begin_send, go_away=go_away, come_back=come_back)


@pytest.fixture(params=["database", "memory"])
async def place(
    request: pytest.FixtureRequest, database_url: str, database_proxy: TcpProxy
) -> AsyncIterator[Place]:
    """Return a recorder."""
    if request.param == "memory":
        yield in_memory()
        return
    url = database_proxy.url(database_url)
    async with opened(url, session_row("s"), connect_timeout_seconds=2.0) as database:
        recorder = DatabaseRecorder(
            store=PostgresChangeStore(database=database, worker_id=WORKER), offer=lambda _rows: None
        )
        stop = asyncio.Event()
        running = asyncio.create_task(recorder.run(stop))

        async def go_away() -> None:
            await database_proxy.refuse()
            await database_proxy.cut()

        yield Place(
            recorder=recorder,
            begin_send=lambda: _begin(database),
            go_away=go_away,
            come_back=database_proxy.accept,
        )
        stop.set()
        await running


async def _begin(database: Database) -> None:
    await PostgresInboxStore(database=database).enter([received("c", epoch=1)])


async def test_changes_are_committed_in_the_order_of_the_calls(place: Place) -> None:
    """And each has an answer of its own."""
    ended: list[int] = []
    futures = [place.recorder.record(message(number)) for number in range(20)]
    for number, future in enumerate(futures):
        future.add_done_callback(partial(_note, ended, number))
    answers = await asyncio.gather(*futures)
    await asyncio.sleep(0)

    assert ended == list(range(20))
    assert all(answer.applied and not answer.fenced for answer in answers)


def _note(ended: list[int], number: int, _future: object) -> None:
    ended.append(number)


async def test_what_another_worker_owns_is_fenced(place: Place) -> None:
    """Nothing of it is written, and nothing else suffers."""
    fenced = await place.recorder.record(message(1, epoch=2))
    assert (fenced.fenced, fenced.applied) == (True, False)
    answer = await place.recorder.record(message(1))
    assert (answer.fenced, answer.applied) == (False, True)


async def test_what_has_happened_before_does_not_happen_again(place: Place) -> None:
    """WhatsApp sends some things twice."""
    for change in (message(1), receipt(2), replace(status(), once=True)):
        first, second = [await place.recorder.record(change) for _ in range(2)]
        assert (first.applied, second.applied) == (True, False)
        assert not second.fenced


async def test_a_change_that_is_refused_for_good_spoils_only_itself(place: Place) -> None:
    """Those around it are committed."""
    changes = [message(1), message(2, chat="a\x00b"), message(3)]
    futures = [place.recorder.record(change) for change in changes]
    first, bad, last = await asyncio.gather(*futures, return_exceptions=True)

    assert isinstance(bad, PermanentError)
    assert not isinstance(first, BaseException)
    assert not isinstance(last, BaseException)
    assert first.applied
    assert last.applied


async def test_a_receipt_that_waits_is_early_while_its_send_is_executing(place: Place) -> None:
    """Until its message is stored; one that does not wait is written."""
    await place.begin_send()
    early = await place.recorder.record(receipt(1, waits=True))
    assert (early.early, early.applied) == (True, False)
    assert (await place.recorder.record(receipt(2))).applied
    await place.recorder.record(message(1, direction=Direction.OUT))
    told = await place.recorder.record(receipt(1, waits=True))
    assert (told.early, told.applied) == (False, True)


async def test_a_session_stays_if_nobody_can_take_it(place: Place) -> None:
    """Nothing of that change is written, and the next one is."""
    given = replace(message(1), transfer=Transfer(to_worker="nobody"))
    with pytest.raises(TransferRefusedError):
        await place.recorder.record(given)
    assert (await place.recorder.record(message(1))).applied


async def test_what_cannot_be_written_now_waits(place: Place) -> None:
    """And is committed in order when it can."""
    assert (await place.recorder.record(message(0))).applied
    await place.go_away()
    futures = [place.recorder.record(message(number)) for number in (1, 2)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert not any(future.done() for future in futures)
    await place.come_back()
    assert [answer.applied for answer in await asyncio.gather(*futures)] == [True, True]
