"""A worker dies for good, or seems to: its sessions go on elsewhere, and nothing is lost."""

import signal

from gateway_contracts import (
    CommandFailed,
    CommandResolved,
    CommandSucceeded,
    ErrorCode,
    MessageReceived,
    SentInfo,
    TextContent,
)
from gateway_worker.sandbox.service.faults import ALWAYS, Faults
from tests.e2e.fleet import Fleet
from tests.support.eventually import eventually


async def test_a_dead_workers_session_goes_on_elsewhere(fleet: Fleet, name: str) -> None:
    """With its commands of the time between, in order, and with what was sent to it."""
    shop = await fleet.sandbox.add_phone()
    ada = await fleet.sandbox.add_phone()
    await fleet.link(name, shop)
    home = fleet.home(name)
    after = len(fleet.backend.arrivals)

    await fleet.workers[home].kill()
    commands = [fleet.text(name, ada.number, f"{number}") for number in range(10)]
    for command in commands[:5]:
        await fleet.backend.publish(command)
    await ada.send_text(shop.number, "are you there?")
    await fleet.until_at(name, fleet.other(home), after=after)
    for command in commands[5:]:
        await fleet.backend.publish(command)
    for command in commands:
        outcome = await fleet.backend.outcome(command.id)
        assert isinstance(outcome, CommandSucceeded), outcome

    texts = [(await ada.next_message(timeout=30)).text for _ in commands]
    assert texts == [f"{number}" for number in range(10)]
    received = await fleet.backend.expect(MessageReceived, name, after=after)
    assert received.data.content == TextContent(text="are you there?")
    fleet.assert_whole(name, after=after)


async def test_it_stays_there_when_the_dead_worker_comes_back(fleet: Fleet, name: str) -> None:
    """What still comes to the old queue is sent on, and what only its disk knows is told."""
    shop = await fleet.sandbox.add_phone()
    ada = await fleet.sandbox.add_phone()
    await fleet.link(name, shop)
    home = fleet.home(name)
    after = len(fleet.backend.arrivals)

    fleet.sandbox.faults.set(shop.number, Faults(missing_acks=ALWAYS))
    unanswered = fleet.text(name, ada.number, "nobody says that it came")
    await fleet.backend.publish(unanswered)
    came = await ada.next_message(timeout=30)

    await fleet.workers[home].kill()
    fleet.sandbox.faults.clear(shop.number)
    await fleet.until_at(name, fleet.other(home), after=after)
    failed = await fleet.backend.outcome(unanswered.id, seconds=30)
    # The first receipt may have come to the host in the moment in which that was killed.
    await ada.read(came)
    await fleet.workers[home].start()
    resolved = await fleet.backend.expect(CommandResolved, name, seconds=30)
    assert isinstance(failed, CommandFailed)
    assert (failed.data.error.code, failed.data.message_id) == (ErrorCode.UNCERTAIN, None)
    assert isinstance(resolved.data.result, SentInfo)
    assert resolved.data.result.message_id == came.message_id
    assert resolved.correlationid == unanswered.id

    for number in range(5):
        await fleet.send(name, ada.number, f"{number}")

    assert [(await ada.next_message(timeout=30)).text for _ in range(5)] == list("01234")
    assert fleet.home(name) == fleet.other(home)
    await eventually(lambda: not fleet.workers[home].hosts())
    await eventually(lambda: not (fleet.workers[home].data_dir / "sessions" / name).exists())
    fleet.assert_whole(name, after=after)


async def test_a_frozen_worker_loses_its_hosts_before_it_loses_its_sessions(
    fleet: Fleet, name: str
) -> None:
    """And drops them when it wakes up."""
    shop = await fleet.sandbox.add_phone()
    ada = await fleet.sandbox.add_phone()
    await fleet.link(name, shop)
    home = fleet.home(name)
    frozen = fleet.workers[home]
    hosts = frozen.hosts()
    after = len(fleet.backend.arrivals)

    frozen.process.send_signal(signal.SIGSTOP)
    try:
        commands = [fleet.text(name, ada.number, f"{number}") for number in range(6)]
        for command in commands[:3]:
            await fleet.backend.publish(command)
        await fleet.until_at(name, fleet.other(home), after=after)
        assert not [host for host in hosts if host.is_running() and host.status() != "zombie"]
    finally:
        frozen.process.send_signal(signal.SIGCONT)
    for command in commands[3:]:
        await fleet.backend.publish(command)
    for command in commands:
        assert isinstance(await fleet.backend.outcome(command.id, seconds=60), CommandSucceeded)

    texts = [(await ada.next_message(timeout=30)).text for _ in commands]
    assert texts == [f"{number}" for number in range(6)]
    await eventually(lambda: not (frozen.data_dir / "sessions" / name).exists(), timeout_seconds=30)
    fleet.assert_whole(name, after=after)
