"""What a host makes good by itself, and what its processes get from the worker."""

import asyncio
import os
from pathlib import Path

import pytest

from gateway_contracts import ReceiptStatus
from gateway_worker.errors import SessionNotConnectedError, UncertainError
from gateway_worker.host_protocol.signals import Down, Up
from gateway_worker.sandbox.service.faults import ALWAYS, Faults
from gateway_worker.storage.objects.device_files import read_store
from gateway_worker.whatsapp.forkserver import _environment
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.whatsapp.stage import Account, Stage, settings_for
from tests.support.arrivals import InboundMessage, InboundReceipt
from tests.support.calls import send_text
from tests.support.eventually import eventually
from tests.support.proxy import TcpProxy

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


def store_of(account: Account) -> Path:
    """Return an account's device store."""
    (store,) = Path(account.directory).glob("*.db")
    return store


def log_of(store: Path) -> int:
    """Return the inode of a store's write-ahead log."""
    return store.with_name(store.name + "-wal").stat().st_ino


def children_of(pid: int) -> set[int]:
    """Return a process's children, those that wait to be reaped too."""
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


async def test_a_lost_acknowledgement_is_asked_for_again(stage: Stage) -> None:
    """The connection is made anew, the message goes again under its id: sent, and only once."""
    ben = await stage.customer()
    async with HostProcesses(settings_for(stage.sandbox, send_timeout_seconds=4)) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()
        await account.host.request(send_text(to=ben.number, text="first"))
        stage.sandbox.faults.set(account.phone.number, Faults(missing_acks=1))

        sent = await account.host.request(send_text(to=ben.number, text="second"))

        await account.next(Down)
        await account.next(Up)
        await account.host.request(send_text(to=ben.number, text="third"))
        await ben.inbox.wait_for(lambda message: message.text == "third", timeout=30)
        assert [message.text for message in ben.inbox] == ["first", "second", "third"]
        assert list(ben.inbox)[1].message_id == sent.message_id


async def test_a_copy_leaves_the_write_ahead_log_to_the_library_after_a_cut(stage: Stage) -> None:
    """To cut its connections a host must not give up its locks on the store."""
    ben = await stage.customer()
    async with HostProcesses(settings_for(stage.sandbox, send_timeout_seconds=4)) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()
        store = store_of(account)
        before = log_of(store)
        stage.sandbox.faults.set(account.phone.number, Faults(missing_acks=1))
        await account.host.request(send_text(to=ben.number, text="first"))
        await account.next(Down)

        await asyncio.to_thread(read_store, store)

        assert log_of(store) == before
        await account.next(Up)


async def test_a_request_that_did_not_begin_in_time_was_not_executed(stage: Stage) -> None:
    """Behind a send that is stuck the next one is given up and never sent; a third one works."""
    ben = await stage.customer()
    async with HostProcesses(settings_for(stage.sandbox, send_timeout_seconds=3)) as processes:
        account = await stage.account()
        account.processes = processes
        await account.link()
        stage.sandbox.faults.set(account.phone.number, Faults(missing_acks=ALWAYS))

        stuck, behind = await asyncio.gather(
            *(account.host.request(send_text(to=ben.number, text=one)) for one in "ab"),
            return_exceptions=True,
        )
        stage.sandbox.faults.clear(account.phone.number)

        assert isinstance(stuck, UncertainError)
        assert isinstance(behind, SessionNotConnectedError)
        for _ in range(2):  # the repeat had no answer either; after the second cut it gives up
            await account.next(Up)
        await account.host.request(send_text(to=ben.number, text="c"))
        assert (await ben.inbox.wait_for(lambda message: message.text == "c", timeout=30)).text
        assert [message.text for message in ben.inbox] == ["a", "c"]


async def test_stopping_while_a_connection_is_being_made(stage: Stage) -> None:
    """The network swallows everything; the host leaves by itself all the same."""
    async with TcpProxy.to(stage.sandbox.proxy_url) as network:
        settings = settings_for(
            stage.sandbox, sandbox_proxy_url=network.url(stage.sandbox.proxy_url), drain_seconds=0.5
        )
        async with HostProcesses(settings) as processes:
            account = await stage.account()
            account.processes = processes
            await account.link()
            network.pause()
            await network.cut()
            await account.next(Down)
            await eventually(lambda: network.connections, reason="the library tries again")

            left = await account.stop()

            assert (left.expected, left.detail) == (True, "it left")


async def test_what_the_owner_reads_elsewhere_is_no_receipt(stage: Stage, shop: Account) -> None:
    """Only others can read what the account wrote; its own phone reads what others wrote."""
    ben = await stage.customer()
    message_id = await ben.send_text(shop.phone.number, "read me on the phone")
    await shop.next(InboundMessage, lambda one: one.message_id == message_id)

    await shop.phone.read(message_id)

    sent = await shop.host.request(send_text(to=ben.number, text="read"))
    await ben.read(await ben.next_message())
    await shop.next(
        InboundReceipt,
        lambda one: one.status is ReceiptStatus.READ and one.message_id == sent.message_id,
    )
    assert not [
        event
        for event in shop.events
        if isinstance(event, InboundReceipt) and event.message_id == message_id
    ]


async def test_messages_that_had_waited_are_marked(stage: Stage) -> None:
    """Written while the host was away: told once, in order, as offline; later ones are not."""
    account = await stage.linked()
    ben = await stage.customer()
    await account.stop()
    ids = [await ben.send_text(account.phone.number, f"{number}") for number in range(12)]

    await account.resume()
    ids.append(await ben.send_text(account.phone.number, "live"))
    await account.next(InboundMessage, lambda message: message.message_id == ids[-1])

    messages = account.messages()
    assert [message.message_id for message in messages] == ids
    assert [message.offline for message in messages] == [True] * 12 + [False]
    await account.stop()


async def test_the_processes_get_none_of_the_workers_secrets(
    stage: Stage, shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is on the list is handed on, and what the library reads is there.

    Of the running processes only root could find that out.
    """
    monkeypatch.setenv("DATABASE_URL", "postgresql://worker:secret@127.0.0.1/gateway")
    monkeypatch.setenv("SSL_CERT_DIR", "/etc/ssl/certs")
    environment = _environment(settings_for(stage.sandbox, gogc=40))

    assert "DATABASE_URL" not in environment
    assert not [name for name in environment if name.startswith("PYTEST")]
    assert environment["SSL_CERT_DIR"] == "/etc/ssl/certs"
    assert environment["SSL_CERT_FILE"] == str(stage.sandbox.ca_file)
    assert (environment["GOGC"], environment["MALLOC_ARENA_MAX"]) == ("40", "1")


async def test_the_fork_server_has_hosts_and_no_other_children(stage: Stage, shop: Account) -> None:
    """What importing the library had started is reaped."""
    assert stage.processes.fork_server_pid is not None

    children = children_of(stage.processes.fork_server_pid)

    assert shop.host.pid in children
    assert children <= set(stage.processes.host_pids)
    assert os.getpid() not in children
