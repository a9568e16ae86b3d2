"""Sessions move between live workers: by command, and because a worker leaves."""

import asyncio

from gateway_contracts import (
    CommandSucceeded,
    MessageReceived,
    SessionInfo,
    SessionMigrate,
    SessionMigrateData,
    SessionStatus,
    TextContent,
)
from tests.e2e.fleet import Fleet
from tests.e2e.harness import ErrorCode
from tests.support.eventually import eventually
from tests.support.pacing import pace


def migration(fleet: Fleet, name: str, to: str | None = None) -> SessionMigrate:
    """Return the command that moves the session."""
    return SessionMigrate(source=fleet.backend.source, subject=name, data=SessionMigrateData(to=to))


async def test_a_session_moves_between_two_commands(fleet: Fleet, name: str) -> None:
    """Back and forth under traffic: every text arrives once and in order, in both directions."""
    shop = await fleet.sandbox.add_phone()
    ada = await fleet.sandbox.add_phone()
    ben = await fleet.sandbox.add_phone()
    await fleet.link(name, shop)
    after = len(fleet.backend.arrivals)
    moves = []
    sends = []

    async def write() -> None:
        for number in range(60):
            sends.append(fleet.text(name, ada.number, f"{number}"))
            await fleet.backend.publish(sends[-1])
            if number % 20 == 10:
                moves.append(migration(fleet, name))
                await fleet.backend.publish(moves[-1])
            await pace(0.05)

    async def answer() -> None:
        for number in range(60):
            await ben.send_text(shop.number, f"{number}")
            await pace(0.05)

    await asyncio.gather(write(), answer())
    for command in (*moves, *sends):
        outcome = await fleet.backend.outcome(command.id, seconds=60)
        assert isinstance(outcome, CommandSucceeded), outcome

    texts = [(await ada.next_message(timeout=30)).text for _ in sends]
    assert texts == [f"{number}" for number in range(60)]
    await fleet.backend.expect(
        MessageReceived,
        name,
        lambda event: event.data.content == TextContent(text="59"),
        after=after,
    )
    received = [
        one.event.data.content.text
        for one in fleet.backend.arrivals[after:]
        if isinstance(one.event, MessageReceived)
        and isinstance(one.event.data.content, TextContent)
    ]
    assert received == [f"{number}" for number in range(60)]
    fleet.assert_whole(name, after=after)


async def test_the_answer_names_the_new_worker(fleet: Fleet, name: str) -> None:
    """And nothing of the device stays behind at the old one."""
    shop = await fleet.sandbox.add_phone()
    await fleet.link(name, shop)
    home = fleet.home(name)
    after = len(fleet.backend.arrivals)
    result = await fleet.succeed(migration(fleet, name, fleet.other(home)))
    assert isinstance(result, SessionInfo)
    assert result.worker == fleet.other(home)
    await fleet.until_at(name, fleet.other(home), after=after)
    await eventually(lambda: not (fleet.workers[home].data_dir / "sessions" / name).exists())


async def test_a_session_stays_if_its_new_worker_cannot_have_it(fleet: Fleet, name: str) -> None:
    """A worker that does not exist, for example; and it is connected all the time."""
    shop = await fleet.sandbox.add_phone()
    ada = await fleet.sandbox.add_phone()
    await fleet.link(name, shop)
    home = fleet.home(name)
    after = len(fleet.backend.arrivals)
    failed = await fleet.fail(migration(fleet, name, "nobody"))
    assert failed.data.error.code is ErrorCode.CAPACITY
    await fleet.send(name, ada.number, "still here")
    assert (await ada.next_message(timeout=30)).text == "still here"
    assert fleet.home(name) == home
    told = [one.event for one in fleet.backend.arrivals[after:]]
    assert not [event for event in told if isinstance(event, SessionStatus)]


async def test_a_worker_that_leaves_hands_its_sessions_over(fleet: Fleet, name: str) -> None:
    """SIGTERM under traffic: commands and messages go on at the other worker, in order."""
    shop = await fleet.sandbox.add_phone()
    ada = await fleet.sandbox.add_phone()
    ben = await fleet.sandbox.add_phone()
    await fleet.link(name, shop)
    home = fleet.home(name)
    after = len(fleet.backend.arrivals)
    sends = [fleet.text(name, ada.number, f"{number}") for number in range(40)]

    async def write() -> None:
        for number, command in enumerate(sends):
            await fleet.backend.publish(command)
            await ben.send_text(shop.number, f"{number}")
            await pace(0.05)

    writing = asyncio.create_task(write())
    await pace(0.5)
    await fleet.workers[home].stop()
    await writing
    for command in sends:
        outcome = await fleet.backend.outcome(command.id, seconds=60)
        assert isinstance(outcome, CommandSucceeded), outcome
    assert fleet.home(name) == fleet.other(home)
    assert [(await ada.next_message(timeout=30)).text for _ in sends] == [
        f"{number}" for number in range(40)
    ]
    await fleet.backend.expect(
        MessageReceived,
        name,
        lambda event: event.data.content == TextContent(text="39"),
        after=after,
    )
    fleet.assert_whole(name, after=after)
