"""What a backend sets of a session while it runs, and what its host gets to know of that."""

import asyncio

from gateway_contracts import (
    Ignorable,
    Ignore,
    Pacing,
    Presence,
    SessionSettings,
    SessionUpdateData,
)
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.sessions.settings import host_settings
from tests.support.eventually import eventually
from tests.unit.sessions.harness import SessionHarness

ALL = Ignore(categories=tuple(Ignorable), chats=("+12025550102", "120363000000000001@g.us"))
OBEYED = HostSettings(
    ignored=("groups", "status", "broadcast", "channels"),
    ignored_chats=("12025550102@s.whatsapp.net", "120363000000000001@g.us"),
)


def test_each_setting_is_replaced_as_a_whole() -> None:
    """What is not given stays; an empty one is the gateway's own again."""
    before = SessionSettings(ignore=ALL)
    assert before.changed(SessionUpdateData(labels={"a": "b"})) == before
    assert before.changed(SessionUpdateData(ignore=Ignore())).ignore == Ignore()
    assert host_settings(before) == OBEYED
    assert (
        host_settings(SessionSettings())
        == HostSettings()
        == host_settings(SessionSettings(ignore=Ignore()))
    )


async def test_the_host_obeys_at_once(harness: SessionHarness) -> None:
    """And so does the next one; the session tells what it is set to."""
    session, (host,) = harness.session, harness.launcher.hosts

    values = await session.update(SessionUpdateData(ignore=ALL, metadata={"plan": "pro"}))

    assert host.settings == OBEYED
    assert (values.settings, values.labels, values.metadata) == (
        SessionSettings(ignore=ALL),
        None,
        {"plan": "pro"},
    )
    assert (session.info().ignore, session.info().metadata) == (ALL, {"plan": "pro"})
    host.kill()
    await eventually(lambda: len(harness.launcher.hosts) == 2)
    await harness.connected()
    assert harness.launcher.hosts[1].settings == OBEYED


async def test_what_changes_nothing_asks_nothing(harness: SessionHarness) -> None:
    """Notes are nothing that a host has to know."""
    (host,) = harness.launcher.hosts
    host.takes_settings = False

    values = await harness.session.update(SessionUpdateData(labels={"team": "sales"}))

    assert (values.settings, values.labels) == (None, {"team": "sales"})
    assert host.runs


async def test_the_same_once_more_is_written_once_more(harness: SessionHarness) -> None:
    """The session has it before the database does, where the first time may have failed."""
    for _ in range(2):
        values = await harness.session.update(SessionUpdateData(ignore=ALL))
        assert values.settings == SessionSettings(ignore=ALL)


async def test_changes_at_the_same_time_keep_each_other(harness: SessionHarness) -> None:
    """Whichever is committed last."""
    session, (host,) = harness.session, harness.launcher.hosts
    host.may_take_settings.clear()
    updates = [
        asyncio.create_task(session.update(data))
        for data in (SessionUpdateData(ignore=ALL), SessionUpdateData(pacing=Pacing()))
    ]
    await eventually(lambda: session.settings.pacing is not None)
    host.may_take_settings.set()

    both = SessionSettings(ignore=ALL, pacing=Pacing())
    assert [values.settings for values in await asyncio.gather(*updates)] == [both, both]


async def test_a_host_that_does_not_take_them_is_replaced(harness: SessionHarness) -> None:
    """What its session is set to counts."""
    (host,) = harness.launcher.hosts
    host.takes_settings = False

    await harness.session.update(SessionUpdateData(ignore=ALL))

    await eventually(lambda: len(harness.launcher.hosts) == 2)
    await harness.connected()
    assert not host.runs
    assert harness.launcher.hosts[1].settings == OBEYED


async def test_who_wants_to_hear_of_typing_gets_another_host(harness: SessionHarness) -> None:
    """The library is asked for it when it starts, and only then."""
    (host,) = harness.launcher.hosts
    assert not host.settings.typing

    await harness.session.update(SessionUpdateData(presence=Presence(typing=True)))

    await eventually(lambda: len(harness.launcher.hosts) == 2)
    await harness.connected()
    assert not host.runs
    assert harness.launcher.hosts[1].settings.typing


async def test_a_host_that_was_being_started_gets_to_know(harness: SessionHarness) -> None:
    """It had been given what there was before."""
    harness.launcher.may_start.clear()
    harness.launcher.hosts[0].kill()
    await eventually(lambda: harness.launcher.waiting == 1)

    await harness.session.update(SessionUpdateData(ignore=ALL))
    harness.launcher.may_start.set()

    await harness.connected()
    host = harness.launcher.hosts[1]
    await eventually(lambda: host.settings == OBEYED)


async def test_of_a_session_that_is_stopped_they_are_kept(harness: SessionHarness) -> None:
    """For its next host."""
    await harness.session.stop()

    values = await harness.session.update(SessionUpdateData(ignore=ALL))

    assert values.settings == SessionSettings(ignore=ALL)
    assert len(harness.launcher.hosts) == 1
