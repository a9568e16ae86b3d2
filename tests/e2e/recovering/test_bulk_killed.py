"""A bulk survives its worker: each row is sent once, and has one outcome, when that is killed."""

from functools import partial

from gateway_contracts import (
    BulkCreate,
    BulkCreateData,
    BulkFinished,
    BulkRow,
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    SessionState,
    TextToSend,
)
from tests.e2e.harness import Gateway
from tests.support.eventually import eventually

ROWS = 60
KILLS = 2


async def test_a_killed_worker_sends_no_row_twice(gateway: Gateway, name: str) -> None:
    """Killed twice in the midst of it. What nobody can know is told as uncertain."""
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, await gateway.sandbox.add_phone())
    command = BulkCreate(
        source=gateway.backend.source,
        subject=name,
        data=BulkCreateData(
            content=TextToSend(text="No {{n}}"),
            rows=tuple(
                BulkRow(to=ada.number, variables={"n": f"{row}"}) for row in range(1, ROWS + 1)
            ),
        ),
    )
    await gateway.succeed(command)

    def ended() -> dict[int, list[CommandSucceeded | CommandFailed]]:
        found: dict[int, list[CommandSucceeded | CommandFailed]] = {}
        for event in gateway.backend.events_of(name):
            if isinstance(event, CommandSucceeded | CommandFailed) and event.data.row:
                found.setdefault(event.data.row, []).append(event)
        return found

    def reached(wanted: int) -> bool:
        return len(ended()) >= wanted

    for kill in range(1, KILLS + 1):
        wanted = kill * ROWS // (KILLS + 1)
        await eventually(partial(reached, wanted), reason="rows are sent", timeout_seconds=60)
        after = len(gateway.backend.arrivals)
        await gateway.worker.kill()
        await gateway.worker.start()
        await gateway.until(name, SessionState.CONNECTED, after=after)
    end = await gateway.backend.expect(BulkFinished, name, seconds=60)

    outcomes = ended()
    assert set(outcomes) == set(range(1, ROWS + 1))
    assert {len(events) for events in outcomes.values()} == {1}
    codes = [
        events[0].data.error.code
        for events in outcomes.values()
        if isinstance(events[0], CommandFailed)
    ]
    assert set(codes) <= {ErrorCode.UNCERTAIN}
    assert (end.data.succeeded, end.data.uncertain) == (ROWS - len(codes), len(codes))
    sent = [
        f"No {row}"
        for row, events in sorted(outcomes.items())
        if isinstance(events[0], CommandSucceeded)
    ]
    shown = [(await ada.next_message(timeout=30)).text for _ in sent]
    assert len(set(shown)) == len(shown)
