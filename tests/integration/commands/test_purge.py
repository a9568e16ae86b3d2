"""What waits for a session is called off; what changes the session or comes later is not."""

from gateway_contracts import (
    ChatSetTimer,
    ChatSetTimerData,
    CommandSucceeded,
    ErrorCode,
    Purged,
    QueuePurge,
    SessionStop,
)
from gateway_worker.commands.ports import Received
from gateway_worker.devkit.backend import Backend
from gateway_worker.storage.db import Database, PostgresInboxStore
from tests.integration.commands.conftest import CONNECTING
from tests.integration.commands.support import Station, code_of
from tests.integration.commands.test_outcomes import nothing_is_left, send
from tests.integration.commands.test_waiting import patient, waits
from tests.integration.storage.db.support import WORKER
from tests.support.commands import Ctl
from tests.support.eventually import eventually

__all__ = ["patient"]


async def purge(backend: Backend, session_id: str) -> int:
    """Call off what waits; returns how much that was."""
    outcome = await backend.request(QueuePurge(source=backend.source, subject=session_id))
    assert isinstance(outcome, CommandSucceeded)
    assert isinstance(outcome.data.result, Purged)
    return outcome.data.result.commands


async def test_what_waits_is_cancelled(patient: Station, backend: Backend) -> None:
    """The one that waits for the connection, and those behind it; later ones wait as before."""
    first = await waits(backend, patient)
    behind = [send(CONNECTING) for _ in range(5)]
    for command in behind:
        await backend.publish(command)
    await eventually(lambda: patient.dispatcher.waiting == 5)

    assert await purge(backend, CONNECTING) == 6
    codes = [await code_of(backend, one) for one in (first, *(each.id for each in behind))]
    assert codes == [ErrorCode.CANCELLED] * 6
    assert await purge(backend, CONNECTING) == 0

    later = await waits(backend, patient)
    await backend.request(SessionStop(source=backend.source, subject=CONNECTING))
    assert await code_of(backend, later) is ErrorCode.SESSION_NOT_CONNECTED


async def test_what_an_earlier_run_may_have_sent_is_uncertain(
    patient: Station, backend: Backend, database: Database, ctl: Ctl
) -> None:
    """It is not told as cancelled; and what is has no dead letter, whose replay would send it."""
    waiting = await waits(backend, patient)
    timer = ChatSetTimerData(chat="+12025550101", seconds=86_400)
    begun = (
        send(CONNECTING),
        ChatSetTimer(source=backend.source, subject=CONNECTING, data=timer),
    )
    for command in begun:
        entered = Received(
            command_id=command.id,
            session_id=CONNECTING,
            command_type=command.type,
            worker_id=WORKER,
        )
        await PostgresInboxStore(database=database).enter([entered])
        await backend.publish(command)
    await eventually(lambda: patient.dispatcher.waiting == 2)

    assert await purge(backend, CONNECTING) == 3
    codes = [await code_of(backend, command.id) for command in begun]
    assert codes == [ErrorCode.UNCERTAIN] * 2
    assert await code_of(backend, waiting) is ErrorCode.CANCELLED
    await nothing_is_left(patient)
    assert (await ctl("dead", "list", "--json")).json == []
