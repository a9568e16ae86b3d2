"""Hosts and workers that are killed in the middle of sending: what is known of it afterwards."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from gateway_worker.errors import (
    RateLimitedError,
    SessionNotConnectedError,
    UncertainError,
)
from gateway_worker.host_protocol.layout import JOURNAL_NAME
from gateway_worker.host_protocol.methods.messages import Sent
from gateway_worker.host_protocol.signals import Exited, Up
from gateway_worker.sandbox.service.faults import Faults, QueryRefusal
from gateway_worker.sessions.send_journal import Acknowledged, NotSubmitted, Rejected, Submitted
from tests.integration.whatsapp.stage import Account, Stage, settings_for
from tests.integration.whatsapp.test_processes import alive
from tests.support.calls import send_text
from tests.support.eventually import eventually
from tests.support.pacing import consistently

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

WORKER_ID = "w"

WORKER = """
import asyncio, json, sys
from pathlib import Path
from gateway_contracts.commands import PairByQr
from gateway_worker.host_protocol.signals import Up
from gateway_worker.sessions.hosting import HostSpec
from tests.support.calls import send_text
from gateway_worker.whatsapp.launcher import HostProcesses
from gateway_worker.whatsapp.settings import WhatsAppSettings

async def main():
    options = json.loads(sys.argv[1])
    up = asyncio.Event()
    async def listen(event):
        if isinstance(event, Up):
            up.set()
    settings = WhatsAppSettings.model_validate(options["settings"])
    async with HostProcesses(settings) as processes:
        processes.extend_lease(options["lease"], spare_seconds=60.0)
        spec = HostSpec(
            session_id="s", directory=Path(options["directory"]), resume_jid=options["jid"],
            pairing=PairByQr(), device_name="x", worker_id="w", epoch=1,
        )
        host = await processes.launch(spec, listen)
        await up.wait()
        sends = [
            asyncio.create_task(host.request(send_text(to=to, text=id), command_id=id))
            for id, to in options["sends"]
        ]
        await asyncio.sleep(0)
        print(json.dumps([processes.fork_server_pid, host.pid]), file=sys.stderr, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def worker(
    stage: Stage, account: Account, *, sends: list[tuple[str, str]], lease: float | None = None
) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[int]]]:
    """Run another worker that resumes an account's device and sends; yields it and its pids."""
    options: dict[str, Any] = {
        "settings": json.loads(settings_for(stage.sandbox).model_dump_json()),
        "directory": str(account.directory),
        "jid": account.jid,
        "sends": sends,
        "lease": lease,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WORKER,
        json.dumps(options),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        yield process, json.loads(await process.stderr.readline())
    finally:
        if process.returncode is None:
            process.kill()  # not waited for: its standard error is the fork server's too


def journal_of(account: Account) -> bytes:
    """Return the bytes of an account's journal."""
    return (account.directory / JOURNAL_NAME).read_bytes()


async def look(stage: Stage, account: Account, command_id: str) -> object:
    """Ask what became of a send."""
    return await stage.processes.look_up(
        account.directory, command_id, worker_id=WORKER_ID, epoch=1
    )


@pytest_asyncio.fixture(name="account", loop_scope="session")
async def fixture_account(stage: Stage) -> Account:
    """Link an account whose hosts are told whose they are."""
    account = await stage.account()
    account.worker_id, account.epoch = WORKER_ID, 1
    await account.link()
    return account


async def test_a_host_killed_before_it_took_the_command(stage: Stage, account: Account) -> None:
    """It stands still when the command comes: nothing was sent, and it can be sent again."""
    ben = await stage.customer()
    os.kill(account.host.pid, signal.SIGSTOP)
    sending = asyncio.create_task(
        account.host.request(send_text(to=ben.number, text="a"), command_id="c")
    )
    await consistently(lambda: not sending.done(), seconds=0.1)

    account.host.kill()

    with pytest.raises(SessionNotConnectedError):
        await sending
    assert await look(stage, account, "c") == NotSubmitted()
    await account.next(Exited)


async def test_a_host_killed_while_the_library_has_the_message(
    stage: Stage, account: Account
) -> None:
    """It may have arrived; the one that waited behind it has not."""
    ben = await stage.customer()
    stage.sandbox.faults.set(account.phone.number, Faults(missing_acks=1_000))
    first, second = (
        asyncio.create_task(
            account.host.request(send_text(to=ben.number, text=one), command_id=one)
        )
        for one in "ab"
    )
    message = await ben.next_message()
    chat = f"{ben.number}@s.whatsapp.net"

    account.host.kill()

    with pytest.raises(UncertainError) as caught:
        await first
    with pytest.raises(SessionNotConnectedError):
        await second
    assert (caught.value.chat, caught.value.message_id) == (chat, message.message_id)
    submitted = Submitted(chat=chat, message_id=message.message_id)
    assert await look(stage, account, "a") == submitted
    assert await look(stage, account, "b") == NotSubmitted()
    assert [message.text for message in ben.inbox] == ["a"]
    await account.next(Exited)


async def test_a_host_killed_after_a_refusal(stage: Stage, account: Account) -> None:
    """The refusal is told as the error that it was."""
    ben = await stage.customer()
    stage.sandbox.faults.set(account.phone.number, Faults(error_acks=1, ack_error=429))
    with pytest.raises(RateLimitedError) as refused:
        await account.host.request(send_text(to=ben.number, text="a"), command_id="refused")
    account.host.kill()
    await account.next(Exited)

    found = await look(stage, account, "refused")

    assert isinstance(found, Rejected)
    assert isinstance(found.error, RateLimitedError)
    assert found.error.body() == refused.value.body()


async def test_a_host_killed_after_a_message_that_nobody_got(
    stage: Stage, account: Account
) -> None:
    """The server's word for it is no answer: it can be sent again."""
    ben = await stage.customer()
    refusal = QueryRefusal(query="encrypt/key", times=1)
    stage.sandbox.faults.set(account.phone.number, Faults(refused_queries=(refusal,)))
    with pytest.raises(RateLimitedError):
        await account.host.request(send_text(to=ben.number, text="a"), command_id="nobody")
    account.host.kill()
    await account.next(Exited)

    assert isinstance(await look(stage, account, "nobody"), Rejected)


async def test_a_host_killed_after_a_part_of_a_message(stage: Stage, account: Account) -> None:
    """How many devices were left out is not forgotten."""
    ben = await stage.linked()
    stage.sandbox.faults.set(ben.phone.number, Faults(no_bundles=True))
    sent = await account.host.request(send_text(to=ben.phone.number, text="a"), command_id="part")
    account.host.kill()
    await account.next(Exited)

    found = await look(stage, account, "part")

    assert isinstance(found, Acknowledged)
    assert found.result == sent
    assert sent.devices_left_out == 1


async def test_a_worker_killed_while_it_sends(stage: Stage, account: Account) -> None:
    """Its host finishes the send that runs, begins no other, notes the end and leaves.

    Whoever looks meanwhile waits for that; so does the next host.
    """
    ben = await stage.customer()
    await account.stop()
    stage.sandbox.faults.set(account.phone.number, Faults(ack_delay_seconds=2.0))
    sends = [("a", ben.number), ("b", ben.number)]
    async with worker(stage, account, sends=sends) as (process, pids):
        arrived = await ben.next_message()

        process.kill()  # not waited for: its standard error is the fork server's too

        assert all(alive(pid) for pid in pids)
        assert b"answered" not in journal_of(account)
        await account.launch()
        found = await look(stage, account, "a")
        assert isinstance(found, Acknowledged)
        assert isinstance(found.result, Sent)
        assert found.result.message_id == arrived.message_id
        assert await look(stage, account, "b") == NotSubmitted()
        await account.next(Up)
        await eventually(lambda: not any(alive(pid) for pid in pids))
    stage.sandbox.faults.clear(account.phone.number)
    await account.host.request(send_text(to=ben.number, text="c"), command_id="c")
    await ben.inbox.wait_for(lambda message: message.text == "c", timeout=30)
    assert [message.text for message in ben.inbox] == ["a", "c"]
    await account.stop()


async def test_a_worker_killed_with_a_send_that_is_never_answered(
    stage: Stage, account: Account
) -> None:
    """Its host leaves after the time for that."""
    ben = await stage.customer()
    await account.stop()
    stage.sandbox.faults.set(account.phone.number, Faults(missing_acks=1_000))
    async with worker(stage, account, sends=[("a", ben.number)]) as (process, pids):
        message = await ben.next_message()

        process.kill()  # not waited for: its standard error is the fork server's too

        assert await look(stage, account, "a") == Submitted(
            chat=f"{ben.number}@s.whatsapp.net", message_id=message.message_id
        )
        await eventually(lambda: not any(alive(pid) for pid in pids), timeout_seconds=30)


async def test_a_worker_that_stands_still_loses_its_hosts(stage: Stage, account: Account) -> None:
    """The fork server kills them when the lease ends, and stays; the next host has the store."""
    ben = await stage.customer()
    await account.stop()
    async with worker(stage, account, sends=[], lease=2.0) as (process, pids):
        server, host = pids
        assert alive(host)

        process.send_signal(signal.SIGSTOP)

        await eventually(lambda: not alive(host), timeout_seconds=30)
        assert alive(server)
        await account.resume()
        await account.host.request(send_text(to=ben.number, text="mine"), command_id="c")
    await eventually(lambda: not alive(server), timeout_seconds=30)
    await account.stop()
