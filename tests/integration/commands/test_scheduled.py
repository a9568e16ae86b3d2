"""What is scheduled is told at once and has one outcome, whatever becomes of its worker."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway_contracts import (
    CommandFailed,
    CommandScheduled,
    CommandSucceeded,
    Done,
    ErrorCode,
    MessageSend,
    MessageSendData,
    ScheduleCancel,
    ScheduleCancelData,
    ScheduledSends,
    ScheduleList,
    ScheduleListData,
    SessionDelete,
    StatusPost,
    StatusPostData,
    StatusText,
    TextToSend,
)
from gateway_worker.broker import BrokerSettings
from gateway_worker.devkit.backend import Backend
from gateway_worker.storage.db import Database, PostgresChangeStore
from tests.integration.commands.support import Station, code_of, working
from tests.integration.commands.test_outcomes import nothing_is_left
from tests.integration.storage.db.support import WORKER, count, value
from tests.integration.storage.db.test_deferred import put_off
from tests.support.eventually import eventually

SOURCE = "/backends/test"
LATER = timedelta(days=1)
SOON = timedelta(seconds=0.5)


def at(in_: timedelta, session_id: str = "a", **data: object) -> MessageSend:
    """Return a send that is due after a while. Its session is stopped, so that it fails then."""
    return MessageSend(
        source=SOURCE,
        subject=session_id,
        data=MessageSendData(
            to="+12025550101",
            content=TextToSend(text="hello"),
            scheduled_at=datetime.now(UTC) + in_,
            **data,
        ),
    )


async def accepted(
    backend: Backend, command: MessageSend | StatusPost, *, repeated: bool = False
) -> None:
    """Publish a command and wait until it is told as scheduled."""
    await backend.publish(command)
    await backend.expect(
        CommandScheduled,
        command.subject,
        lambda event: event.correlationid == command.id and event.data.repeated is repeated,
    )


def told(backend: Backend, command: MessageSend) -> list[str]:
    """Return what was told of a command, in order."""
    return [
        type(event).__name__
        for event in backend.events_of(command.subject)
        if event.correlationid == command.id
    ]


async def listed(backend: Backend, **data: object) -> ScheduledSends:
    """Ask what is scheduled."""
    outcome = await backend.request(
        ScheduleList(source=SOURCE, subject="a", data=ScheduleListData.model_validate(data))
    )
    assert isinstance(outcome, CommandSucceeded)
    assert isinstance(outcome.data.result, ScheduledSends)
    return outcome.data.result


def cancel(command: MessageSend | StatusPost) -> ScheduleCancel:
    """Call off a command."""
    data = ScheduleCancelData(command_id=command.id)
    return ScheduleCancel(source=SOURCE, subject=command.subject, data=data)


async def test_what_is_scheduled_is_executed_when_it_is_due(
    station: Station, backend: Backend, database: Database
) -> None:
    """It is told twice: when it is taken on, which settles its delivery, and with its outcome."""
    command = at(SOON, client_ref="order-1")

    await accepted(backend, command)
    await nothing_is_left(station)

    assert await code_of(backend, command.id) is ErrorCode.SESSION_NOT_CONNECTED
    assert told(backend, command) == ["CommandScheduled", "CommandFailed"]
    assert await count(database, "deferred") == 0
    assert ("wa.message.send.v1", "scheduled") in station.settled


@pytest.mark.usefixtures("station")
async def test_a_status_post_is_scheduled_as_a_message_is(
    backend: Backend, database: Database
) -> None:
    """It is listed, with nobody whom it goes to, and ends when its time has come."""
    content = StatusText(text="Open until eight today")
    soon, late = (
        StatusPost(
            source=SOURCE,
            subject="a",
            data=StatusPostData(content=content, scheduled_at=datetime.now(UTC) + in_),
        )
        for in_ in (SOON, LATER)
    )

    await accepted(backend, late)
    await accepted(backend, soon)

    assert await code_of(backend, soon.id) is ErrorCode.SESSION_NOT_CONNECTED
    (waiting,) = (await listed(backend)).scheduled
    assert (waiting.command_id, waiting.to, waiting.content_kind) == (late.id, None, "text")
    await backend.request(cancel(late))
    assert await code_of(backend, late.id) is ErrorCode.CANCELLED
    assert await count(database, "deferred") == 0


@pytest.mark.usefixtures("station")
async def test_a_post_in_a_channel_is_listed_as_any_other(backend: Backend) -> None:
    """One that cannot be told would keep all others from being listed."""
    command = at(LATER)
    data = command.data.model_copy(update={"to": "120363025550100002@newsletter"})
    post = command.model_copy(update={"data": data})

    await accepted(backend, post)

    (waiting,) = (await listed(backend)).scheduled
    assert (waiting.command_id, waiting.to) == (post.id, post.data.to)


async def test_a_repeat_is_told_as_scheduled_and_afterwards_gets_the_outcome(
    station: Station, backend: Backend, database: Database
) -> None:
    """It is stored once, and one that says something else is refused."""
    command = at(LATER)
    await accepted(backend, command)
    await accepted(backend, command, repeated=True)
    assert await count(database, "deferred") == 1

    data = command.data.model_copy(update={"scheduled_at": datetime.now(UTC) + 2 * LATER})
    other = command.model_copy(update={"data": data})
    await backend.publish(other)
    refused = await backend.outcome(command.id)
    assert isinstance(refused, CommandFailed)
    assert refused.data.id_conflict

    assert isinstance((await backend.request(cancel(command))), CommandSucceeded)
    await backend.publish(command)
    again = await backend.expect(
        CommandFailed,
        "a",
        lambda event: event.correlationid == command.id and event.data.repeated,
    )
    assert again.data.error.code is ErrorCode.CANCELLED
    assert station.dispatcher.waiting == 0


@pytest.mark.parametrize(
    ("in_", "more", "pointer"),
    [
        (timedelta(days=91), {}, "/data/scheduled_at"),
        (LATER, {"expirytime": datetime.now(UTC) + SOON}, "/expirytime"),
    ],
    ids=["too far", "too late"],
)
async def test_what_cannot_be_scheduled_is_refused(
    station: Station,
    backend: Backend,
    in_: timedelta,
    more: dict[str, datetime],
    pointer: str,
) -> None:
    """With the place of the fault."""
    command = at(in_).model_copy(update=more)
    outcome = await backend.request(command)
    assert isinstance(outcome, CommandFailed)
    assert [error.pointer for error in outcome.data.error.errors] == [pointer]
    await nothing_is_left(station)
    assert ("wa.message.send.v1", "invalid_command") in station.settled


async def test_what_is_scheduled_is_listed_and_called_off(
    station: Station, backend: Backend
) -> None:
    """In the order of its time, page by page; what was called off can be called off again."""
    commands = [at(LATER + timedelta(minutes=minutes)) for minutes in (3, 1, 2)]
    for command in commands:
        await accepted(backend, command)
    third, first, second = commands

    page = await listed(backend, limit=2)
    assert [each.command_id for each in page.scheduled] == [first.id, second.id]
    assert page.scheduled[0].content_kind == "text"
    rest = await listed(backend, limit=2, cursor=page.next_cursor)
    assert [each.command_id for each in rest.scheduled] == [third.id]
    assert rest.next_cursor is None

    for _ in range(2):
        done = await backend.request(cancel(second))
        assert isinstance(done, CommandSucceeded)
        assert isinstance(done.data.result, Done)
    assert told(backend, second) == ["CommandScheduled", "CommandFailed"]
    assert await code_of(backend, second.id) is ErrorCode.CANCELLED
    assert len((await listed(backend)).scheduled) == 2

    unknown = await backend.request(cancel(at(LATER)))
    assert isinstance(unknown, CommandFailed)
    assert unknown.data.error.code is ErrorCode.INVALID_COMMAND
    assert station.dispatcher.held == 0


async def test_a_deleted_session_ends_what_was_scheduled(
    station: Station, backend: Backend, database: Database
) -> None:
    """Each is told as cancelled before the deletion is; nothing of it is left."""
    commands = [at(LATER, "b") for _ in range(3)]
    for command in commands:
        await accepted(backend, command)

    deletion = SessionDelete(source=SOURCE, subject="b")
    assert isinstance(await backend.request(deletion), CommandSucceeded)

    for command in commands:
        assert await code_of(backend, command.id) is ErrorCode.CANCELLED
    ends = [event.correlationid for event in backend.events_of("b")][-4:]
    assert set(ends[:3]) == {command.id for command in commands}
    assert ends[3] == deletion.id
    assert await count(database, "deferred") == 0
    assert station.dispatcher.waiting == 0


async def test_a_killed_workers_rows_are_the_next_ones(
    distant: Database,
    database: Database,
    settings: BrokerSettings,
    backend: Backend,
    tmp_path: Path,
) -> None:
    """They have become due while nobody ran."""
    commands = [at(LATER) for _ in range(3)]
    async with working(distant, settings, tmp_path) as station:
        for command in commands:
            await accepted(backend, command)
        await station.kill()
    assert await count(database, "deferred") == 3
    async with database.transaction("letting time pass") as connection:
        await connection.execute("UPDATE deferred SET due_at = now()")

    async with working(distant, settings, tmp_path) as station:
        for command in commands:
            assert await code_of(backend, command.id) is ErrorCode.SESSION_NOT_CONNECTED
        await eventually(lambda: station.dispatcher.waiting == 0, reason="all of it has ended")
    for command in commands:
        assert told(backend, command) == ["CommandScheduled", "CommandFailed"]
    assert await count(database, "deferred") == 0
    ends = "SELECT count(*) FROM commands WHERE state = 'failed'"
    assert await value(database, ends) == 3


@pytest.mark.usefixtures("station")
async def test_a_send_begins_while_the_end_of_a_scheduled_one_is_written(
    backend: Backend, database: Database
) -> None:
    """It has had its effect, if any; the outcome of the send is told after that one's."""
    scheduled = at(LATER)
    await accepted(backend, scheduled)
    data = scheduled.data.model_copy(update={"scheduled_at": None})
    send = MessageSend(source=SOURCE, subject="a", data=data)

    async def has_begun(count: int) -> bool:
        begun = "SELECT count(*) FROM commands WHERE state = 'executing'"
        return bool(await value(database, begun) == count)

    async with database.transaction("keeping ends from being written") as other:
        await other.execute("LOCK TABLE outbox IN SHARE MODE")
        async with database.transaction("letting time pass") as connection:
            await connection.execute("UPDATE deferred SET due_at = now()")
        await eventually(lambda: has_begun(1), reason="the scheduled one has begun")
        await backend.publish(send)
        await eventually(lambda: has_begun(2), reason="the send has begun, too")

    await backend.outcome(send.id)
    ends = [event.correlationid for event in backend.events_of("a")]
    assert ends[-2:] == [scheduled.id, send.id]


async def test_what_cannot_be_read_holds_up_nothing(
    station: Station, backend: Backend, database: Database
) -> None:
    """Of a release that knew other commands: it stays, however much of it is due before."""
    epoch = await value(database, "SELECT epoch FROM sessions WHERE id = 'a'")
    unreadable = [put_off(f"later-{number}", session="a", epoch=epoch) for number in range(12)]
    await PostgresChangeStore(database=database, worker_id=WORKER).commit(unreadable)
    command = at(SOON)
    await accepted(backend, command)

    assert await code_of(backend, command.id) is ErrorCode.SESSION_NOT_CONNECTED
    assert await count(database, "deferred") == 12
    assert station.dispatcher.held == 0
