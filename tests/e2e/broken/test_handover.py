"""Sessions move between live workers: by command, and because a worker leaves."""

import asyncio
from pathlib import Path

from gateway_contracts import (
    CommandSucceeded,
    MessageReceived,
    SessionInfo,
    SessionMigrate,
    SessionMigrateData,
    SessionStatus,
    StatusReason,
    TextContent,
)
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.fleet import Fleet, open_fleet
from tests.e2e.harness import ADA, SHOP, ErrorCode
from tests.support.eventually import eventually
from tests.support.pacing import pace

BEN = "12025550102"


def migration(fleet: Fleet, to: str | None = None) -> SessionMigrate:
    """Return the command that moves the session."""
    return SessionMigrate(
        source=fleet.backend.source, subject="shop", data=SessionMigrateData(to=to)
    )


async def test_a_session_moves_between_two_commands(fleet: Fleet) -> None:
    """Back and forth under traffic: every text arrives once and in order, in both directions."""
    shop = await fleet.sandbox.add_phone(SHOP)
    ada = await fleet.sandbox.add_phone(ADA)
    ben = await fleet.sandbox.add_phone(BEN)
    await fleet.link("shop", shop)
    after = len(fleet.backend.arrivals)
    moves = []
    sends = []

    async def write() -> None:
        for number in range(60):
            sends.append(fleet.text("shop", ADA, f"{number}"))
            await fleet.backend.publish(sends[-1])
            if number % 20 == 10:
                moves.append(migration(fleet))
                await fleet.backend.publish(moves[-1])
            await pace(0.05)

    async def answer() -> None:
        for number in range(60):
            await ben.send_text(SHOP, f"{number}")
            await pace(0.05)

    await asyncio.gather(write(), answer())
    for command in (*moves, *sends):
        outcome = await fleet.backend.outcome(command.id, seconds=60)
        assert isinstance(outcome, CommandSucceeded), outcome

    texts = [(await ada.next_message(timeout=10)).text for _ in sends]
    assert texts == [f"{number}" for number in range(60)]
    await fleet.backend.expect(
        MessageReceived,
        "shop",
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
    fleet.assert_whole("shop", after=after)


async def test_the_answer_names_the_new_worker(fleet: Fleet) -> None:
    """And nothing of the device stays behind at the old one."""
    shop = await fleet.sandbox.add_phone(SHOP)
    await fleet.link("shop", shop)
    home = fleet.home("shop")
    after = len(fleet.backend.arrivals)
    result = await fleet.succeed(migration(fleet, fleet.other(home)))
    assert isinstance(result, SessionInfo)
    assert result.worker == fleet.other(home)
    await fleet.until_at("shop", fleet.other(home), after=after)
    await eventually(lambda: not (fleet.workers[home].data_dir / "sessions" / "shop").exists())


async def test_a_session_stays_if_its_new_worker_cannot_have_it(fleet: Fleet) -> None:
    """A worker that does not exist, for example; and it is connected all the time."""
    shop = await fleet.sandbox.add_phone(SHOP)
    ada = await fleet.sandbox.add_phone(ADA)
    await fleet.link("shop", shop)
    home = fleet.home("shop")
    after = len(fleet.backend.arrivals)
    failed = await fleet.fail(migration(fleet, "nobody"))
    assert failed.data.error.code is ErrorCode.CAPACITY
    await fleet.send("shop", ADA, "still here")
    assert (await ada.next_message(timeout=10)).text == "still here"
    assert fleet.home("shop") == home
    told = [one.event for one in fleet.backend.arrivals[after:]]
    assert not [event for event in told if isinstance(event, SessionStatus)]


async def test_a_worker_that_leaves_hands_its_sessions_over(fleet: Fleet) -> None:
    """SIGTERM under traffic: commands and messages go on at the other worker, in order."""
    shop = await fleet.sandbox.add_phone(SHOP)
    ada = await fleet.sandbox.add_phone(ADA)
    ben = await fleet.sandbox.add_phone(BEN)
    await fleet.link("shop", shop)
    home = fleet.home("shop")
    after = len(fleet.backend.arrivals)
    sends = [fleet.text("shop", ADA, f"{number}") for number in range(40)]

    async def write() -> None:
        for number, command in enumerate(sends):
            await fleet.backend.publish(command)
            await ben.send_text(SHOP, f"{number}")
            await pace(0.05)

    writing = asyncio.create_task(write())
    await pace(0.5)
    await fleet.workers[home].stop()
    await writing
    for command in sends:
        outcome = await fleet.backend.outcome(command.id, seconds=60)
        assert isinstance(outcome, CommandSucceeded), outcome
    assert fleet.home("shop") == fleet.other(home)
    assert [(await ada.next_message(timeout=10)).text for _ in sends] == [
        f"{number}" for number in range(40)
    ]
    await fleet.backend.expect(
        MessageReceived,
        "shop",
        lambda event: event.data.content == TextContent(text="39"),
        after=after,
    )
    fleet.assert_whole("shop", after=after)


async def test_a_session_does_not_go_to_a_worker_that_has_just_died(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> None:
    """Its lease says that it lives; the session stays connected, and goes to the third worker."""
    names = ("alpha", "beta", "gamma")
    async with open_fleet(sandbox, environment, tmp_path, names) as fleet:
        await fleet.link("shop", await fleet.sandbox.add_phone(SHOP))
        home = fleet.home("shop")
        dead, alive = (name for name in names if name != home)
        after = len(fleet.backend.arrivals)
        await fleet.workers[dead].kill()
        failed = await fleet.fail(migration(fleet, dead))
        assert failed.data.error.code is ErrorCode.CAPACITY
        told = [one.event for one in fleet.backend.arrivals[after:]]
        assert not [event for event in told if isinstance(event, SessionStatus)]

        await fleet.workers[home].stop()
        await fleet.until_at("shop", alive, after=after)
        told = [one.event for one in fleet.backend.arrivals[after:]]
        reasons = [event.data.reason for event in told if isinstance(event, SessionStatus)]
        assert StatusReason.TAKEN_OVER not in reasons
