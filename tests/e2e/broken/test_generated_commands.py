"""Commands that nobody has thought of, valid and broken: each has one end, and harms nobody.

300 of them by default; `./dev test tests/e2e/broken/test_generated_commands.py --commands 20000` is
the long run.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence

import pytest

from gateway_contracts import CommandFailed, CommandSucceeded, ErrorBody
from tests.e2e.harness import ErrorCode, Gateway
from tests.support.generated import Generated, Places, generated_commands
from tests.support.pacing import pace

AT_ONCE = 100
REFUSALS_PER_SECOND = 80
"""Below what the worker tells all backends together; beyond that it only keeps dead letters."""
OUTCOME_SECONDS = 120.0


async def publish(gateway: Gateway, commands: Sequence[Generated]) -> None:
    """Publish commands and wait for the end of each."""
    for command in commands:
        await gateway.backend.publish_raw(
            command.body, session_id=command.subject, message_id=command.id
        )
    for command in commands:
        await gateway.backend.outcome(command.id, seconds=OUTCOME_SECONDS)


@pytest.mark.timeout(7_200)
async def test_every_command_has_one_end(gateway: Gateway, pytestconfig: pytest.Config) -> None:
    """The worker stays healthy, its log has no fault of ours, and an ordinary text still goes."""
    count: int = pytestconfig.getoption("--commands")
    phones = [await gateway.sandbox.add_phone() for _ in range(4)]
    kept = ["kept-1", "kept-2"]
    for session_id, phone in zip(kept, phones, strict=False):
        await gateway.link(session_id, phone)
    places = Places(
        kept=kept,
        others=["other-1", "other-2", "other-3"],
        recipients=[f"+{phone.number}" for phone in phones],
    )
    # Minutes for the long run: the connections' heartbeats go on meanwhile.
    commands = await asyncio.to_thread(generated_commands, count, places=places, number=count)
    pid = gateway.worker.process.pid
    for start in range(0, count, AT_ONCE):
        began = time.monotonic()
        await publish(gateway, commands[start : start + AT_ONCE])
        await pace(max(0.0, AT_ONCE / REFUSALS_PER_SECOND - (time.monotonic() - began)))

    await gateway.send("kept-1", phones[2].number, "after")

    ends = Counter(
        one.event.correlationid
        for one in gateway.backend.arrivals
        if isinstance(one.event, CommandSucceeded | CommandFailed)
    )
    assert {command.id: ends[command.id] for command in commands if ends[command.id] != 1} == {}
    failed_inside = {
        one.event.type: one.event.data.error.detail
        for one in gateway.backend.arrivals
        if isinstance(one.event, CommandFailed) and one.event.data.error.code is ErrorCode.INTERNAL
    }
    assert failed_inside == {}
    unexplained = {
        (one.event.data.command_type, one.event.data.error.detail)
        for one in gateway.backend.arrivals
        if isinstance(one.event, CommandFailed) and _is_unexplained(one.event.data.error)
    }
    assert unexplained == set()
    assert gateway.worker.process.pid == pid
    assert await gateway.worker.is_ready()
    log = await asyncio.to_thread(gateway.worker.log_path.read_text)
    assert [line for line in log.splitlines() if _is_fault(line)] == []


def _is_unexplained(error: ErrorBody) -> bool:
    """Whether a command is called invalid, though its body can be read, and nothing says where."""
    of_the_body = (error.detail or "").startswith(("the body ", "the command has "))
    return error.code is ErrorCode.INVALID_COMMAND and not error.errors and not of_the_body


def _is_fault(line: str) -> bool:
    """Whether a line of the worker's log tells of an exception that nobody has expected."""
    try:
        entry = json.loads(line)
    except ValueError:
        return "Traceback" in line
    if entry.get("event") == "broker.backlog":  # dead letters that nobody takes, as they should be
        return False
    return entry.get("level") in {"error", "critical"} or "exception" in entry
