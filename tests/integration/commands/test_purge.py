"""What waits for a session is called off; what changes the session or comes later is not."""

from gateway_contracts import (
    CommandSucceeded,
    ErrorCode,
    Purged,
    QueuePurge,
    SessionStop,
)
from gateway_worker.devkit.backend import Backend
from tests.integration.commands.conftest import CONNECTING
from tests.integration.commands.support import Station
from tests.integration.commands.test_outcomes import send
from tests.integration.commands.test_waiting import code_of, patient, waits
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
