"""Workers log more for a while, without a restart."""

from gateway_contracts import FLEET, LogLevel, LogLevelSet, WorkerSetLogLevel, WorkerSetLogLevelData
from tests.e2e.fleet import Fleet
from tests.support.eventually import eventually


async def test_all_workers_log_more_for_a_while(fleet: Fleet) -> None:
    """One gets the command and tells the other; each goes back by itself."""
    seen = {name: len(_log(fleet, name)) for name in fleet.workers}
    data = WorkerSetLogLevelData(level=LogLevel.DEBUG, seconds=2)
    command = WorkerSetLogLevel(source=fleet.backend.source, subject=FLEET, data=data)

    told = await fleet.succeed(command)

    assert isinstance(told, LogLevelSet)
    assert (told.level, sorted(told.workers)) == (LogLevel.DEBUG, sorted(fleet.workers))
    for name in fleet.workers:

        def both(name: str = name) -> bool:
            new = [line for line in _log(fleet, name)[seen[name] :] if "log.level_set" in line]
            assert len(new) == 2
            return '"log_level":"debug"' in new[0] and '"log_level":"info"' in new[1]

        await eventually(both, timeout_seconds=60, reason=f"{name} has logged more, and less again")


def _log(fleet: Fleet, name: str) -> list[str]:
    return fleet.workers[name].log_path.read_text().splitlines()
