"""Processes that die, and what is left of them: nothing, and no message is lost."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from gateway_worker.errors import DependencyError, SessionNotConnectedError, UncertainError
from gateway_worker.host_protocol.signals import Exited, Up
from gateway_worker.sandbox.service.faults import Faults
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.whatsapp.stage import Stage, settings_for
from tests.support.arrivals import InboundMessage
from tests.support.calls import send_text
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def descriptors() -> int:
    """Return how many descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_killed_host_is_noticed_and_nothing_is_lost(stage: Stage) -> None:
    """What was told and not acknowledged comes again, then what came meanwhile, in order."""
    account = await stage.linked()
    ben = await stage.customer()
    account.acknowledging = False
    early = [await ben.send_text(account.phone.number, f"early {n}") for n in range(20)]
    await account.next(InboundMessage, lambda message: message.message_id == early[-1])
    account.acknowledge(account.messages()[:5])
    await asyncio.sleep(0)  # the acknowledgement goes out

    os.kill(account.host.pid, signal.SIGKILL)

    left = await account.next(Exited)
    assert (left.expected, left.detail) == (False, "killed by SIGKILL")
    late = [await ben.send_text(account.phone.number, f"late {n}") for n in range(5)]
    told = len(account.messages())
    account.acknowledging = True
    await account.launch()
    await account.next(InboundMessage, lambda message: message.message_id == late[-1])
    again = account.messages()[told:]
    ids = [message.message_id for message in again]
    assert ids[-25 + 5 :] == [*early[5:], *late]
    assert set(early[:5]).isdisjoint(ids) or ids[:25] == [*early, *late]
    assert [message.offline for message in again[-5:]] == [True] * 5
    await account.stop()


async def test_a_send_during_which_the_host_dies(stage: Stage) -> None:
    """It is uncertain; later ones are told that there is no host."""
    account = await stage.linked()
    stage.sandbox.faults.set(account.phone.number, Faults(missing_acks=1_000))
    ben = await stage.customer()
    sending = asyncio.create_task(account.host.request(send_text(to=ben.number, text="perhaps")))
    await ben.next_message()

    account.host.kill()

    with pytest.raises(UncertainError):
        await sending
    await account.next(Exited)
    with pytest.raises(SessionNotConnectedError):
        await account.host.request(send_text(to=ben.number, text="no"))
    account.host.acknowledge(1)
    await account.host.stop()


async def test_stopping_while_a_send_is_stuck(stage: Stage) -> None:
    """The stuck send does not hold up the stop, and the host is not killed for it."""
    account = await stage.linked()
    stage.sandbox.faults.set(account.phone.number, Faults(missing_acks=1_000))
    ben = await stage.customer()
    sending = asyncio.create_task(account.host.request(send_text(to=ben.number, text="perhaps")))
    await ben.next_message()

    left = await account.stop()

    assert (left.expected, left.detail) == (True, "it left")
    with pytest.raises(UncertainError):
        await sending


async def test_a_host_that_does_not_react_is_killed(stage: Stage) -> None:
    """After the time for stopping."""
    async with HostProcesses(
        settings_for(stage.sandbox, stop_seconds=0.5, drain_seconds=0.1)
    ) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()
        os.kill(account.host.pid, signal.SIGSTOP)

        left = await account.stop()

    assert (left.expected, left.detail) == (True, "killed by SIGKILL")


async def test_a_stopping_host_delivers_what_it_has(stage: Stage) -> None:
    """Unacknowledged records get a moment; afterwards nothing is pending."""
    account = await stage.linked()
    ben = await stage.customer()
    account.acknowledging = False
    message_id = await ben.send_text(account.phone.number, "last")
    message = await account.next(InboundMessage)

    stopping = asyncio.create_task(account.host.stop())
    await asyncio.sleep(0)
    account.host.acknowledge(message.record)
    await stopping

    assert message.message_id == message_id
    await account.next(Exited)
    told = len(account.messages())
    await account.resume()
    await ben.send_text(account.phone.number, "next")
    await account.next(InboundMessage)
    assert len(account.messages()) == told + 1
    await account.stop()


async def test_a_worker_that_lags_behind_is_not_flooded(stage: Stage) -> None:
    """Only so many records are on their way; the rest waits on the disk, in order."""
    async with HostProcesses(settings_for(stage.sandbox, in_flight=10)) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()
        account.acknowledging = False
        ben = await stage.customer()
        ids = [await ben.send_text(account.phone.number, str(n)) for n in range(40)]
        # To somebody else: the library may use a key twice towards a device that is just writing.
        other = await stage.customer()
        sent = await account.host.request(send_text(to=other.number, text="elsewhere"))
        assert sent.message_id
        # Its answer came although the rest waits, and by then the spool has all of them.
        await eventually(lambda: len(account.messages()) == 10)

        while len(account.messages()) < 40:
            account.acknowledge()
            await account.next(InboundMessage)
        assert [message.message_id for message in account.messages()] == ids


async def test_a_fork_server_that_died_is_replaced_before_it_is_needed(stage: Stage) -> None:
    """Its start takes a second or more, for which no session should have to wait."""
    async with HostProcesses(settings_for(stage.sandbox)) as processes:
        for _ in range(2):
            first = processes.fork_server_pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await eventually(
                partial(_is_replaced, processes, first),
                timeout_seconds=30,
                reason="another one is there",
            )


def _is_replaced(processes: HostProcesses, fork_server_pid: int) -> bool:
    return processes.fork_server_pid not in (None, fork_server_pid)


async def test_the_fork_server_dies(stage: Stage) -> None:
    """Its hosts die with it, that is told, and the next launch starts another one."""
    async with HostProcesses(settings_for(stage.sandbox)) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()
        first = processes.fork_server_pid
        assert first is not None

        os.kill(first, signal.SIGKILL)

        left = await account.next(Exited)
        assert not left.expected
        await account.resume()
        assert processes.fork_server_pid not in (None, first)
        assert (await account.stop()).detail == "it left"


WORKER = """
import asyncio, json, os, sys
from pathlib import Path
from gateway_contracts.commands import PairByQr
from gateway_worker.sessions.hosting import HostSpec
from gateway_worker.whatsapp.launcher import HostProcesses
from gateway_worker.whatsapp.settings import WhatsAppSettings

async def main():
    told = asyncio.Event()
    async def listen(event):
        told.set()
    settings = WhatsAppSettings.model_validate_json(sys.argv[1])
    async with HostProcesses(settings) as processes:
        for number in range(3):
            told.clear()
            spec = HostSpec(
                session_id=f"s{number}", directory=Path(sys.argv[2]) / f"s{number}",
                resume_jid=None, pairing=PairByQr(), device_name="x",
            )
            await processes.launch(spec, listen)
            await told.wait()
        pids = [processes.fork_server_pid, *processes.host_pids]
        print(json.dumps(pids), file=sys.stderr, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_killed_worker_leaves_nothing(stage: Stage, tmp_path: Path) -> None:
    """Fork server and hosts are gone although nobody told them to."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WORKER,
        settings_for(stage.sandbox).model_dump_json(),
        str(tmp_path),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    pids = json.loads(await process.stderr.readline())
    assert len(pids) == 4
    assert all(alive(pid) for pid in pids)

    process.kill()
    await process.wait()

    await eventually(lambda: not any(alive(pid) for pid in pids))


async def test_hosts_come_and_go_without_a_trace(stage: Stage) -> None:
    """No descriptor, task or process is left, whether they are stopped or killed."""
    account = await stage.linked()
    await account.stop()
    before = descriptors()
    tasks = len(asyncio.all_tasks())
    pids = []

    for number in range(6):
        await account.resume()
        pids.append(account.host.pid)
        if number % 2:
            account.host.kill()
            await account.next(Exited)
        else:
            await account.stop()

    await eventually(lambda: descriptors() <= before)
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks)
    await eventually(lambda: not any(alive(pid) for pid in pids))


async def test_leaving_stops_every_host(stage: Stage) -> None:
    """In good order, with their last events told; afterwards nothing is started."""
    async with HostProcesses(settings_for(stage.sandbox)) as processes:
        accounts = [await stage.account() for _ in range(3)]
        for account in accounts:
            account.processes = processes
            await account.link()
        server = processes.fork_server_pid

    for account in accounts:
        left = await account.next(Exited)
        assert (left.expected, left.detail) == (True, "it left")
    assert server is not None
    assert not alive(server)
    with pytest.raises(DependencyError):
        await accounts[0].launch()


async def test_a_directory_that_cannot_be_made(stage: Stage, tmp_path: Path) -> None:
    """It is said at once."""
    account = await stage.account()
    (tmp_path / "file").write_text("in the way")
    account.directory = tmp_path / "file" / "below"

    with pytest.raises(DependencyError):
        await account.launch()


async def test_a_session_has_one_host_at_a_time(stage: Stage) -> None:
    """A second host on the same directory waits until the first one is gone."""
    account = await stage.linked()
    first = account.host
    await account.launch()
    second = account.host
    with suppress(AssertionError):
        await account.next(Up, patience_seconds=1)
        pytest.fail("two hosts on one device store throw each other off")

    await first.stop()

    await account.next(Up)
    assert account.host is second
    await account.stop()


async def test_a_record_that_is_needed_for_long_holds_up_nothing(stage: Stage) -> None:
    """Neither those behind it, however many, nor their acknowledgement; it comes again alone."""
    async with HostProcesses(settings_for(stage.sandbox, in_flight=4)) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()
        account.acknowledging = False
        ben = await stage.customer()
        ids = [await ben.send_text(account.phone.number, str(number)) for number in range(12)]
        await account.next(InboundMessage)
        while len(account.messages()) < len(ids):
            account.acknowledge(account.messages()[1:])
            await account.next(InboundMessage)
        account.acknowledge(account.messages()[1:])
        told = len(account.messages())
        await account.stop()

        account.acknowledging = True
        await account.resume()
        last = await ben.send_text(account.phone.number, "last")
        await account.next(InboundMessage, lambda message: message.message_id == last)

        again = [message.message_id for message in account.messages()[told:]]
        assert again[0] == ids[0]
        assert again[-1] == last
        await account.stop()
