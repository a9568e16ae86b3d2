"""A worker dies for good, or seems to: its sessions go on elsewhere, and nothing is lost."""

import signal

from gateway_contracts import CommandSucceeded, MessageReceived, TextContent
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

    texts = [(await ada.next_message(timeout=10)).text for _ in commands]
    assert texts == [f"{number}" for number in range(10)]
    received = await fleet.backend.expect(MessageReceived, name, after=after)
    assert received.data.content == TextContent(text="are you there?")
    fleet.assert_whole(name, after=after)


async def test_it_stays_there_when_the_dead_worker_comes_back(fleet: Fleet, name: str) -> None:
    """What still comes to the old queue is sent on."""
    shop = await fleet.sandbox.add_phone()
    ada = await fleet.sandbox.add_phone()
    await fleet.link(name, shop)
    home = fleet.home(name)
    after = len(fleet.backend.arrivals)

    await fleet.workers[home].kill()
    await fleet.until_at(name, fleet.other(home), after=after)
    await fleet.workers[home].start()
    for number in range(5):
        await fleet.send(name, ada.number, f"{number}")

    assert [(await ada.next_message(timeout=10)).text for _ in range(5)] == list("01234")
    assert fleet.home(name) == fleet.other(home)
    assert not fleet.workers[home].hosts()
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

    texts = [(await ada.next_message(timeout=10)).text for _ in commands]
    assert texts == [f"{number}" for number in range(6)]
    await eventually(lambda: not (frozen.data_dir / "sessions" / name).exists(), timeout_seconds=30)
    fleet.assert_whole(name, after=after)
