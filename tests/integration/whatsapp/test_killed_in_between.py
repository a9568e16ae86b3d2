"""A host that is killed between the library's use of a key and its own spool."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from gateway_worker.host_protocol.signals import Exited
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.service.faults import ALWAYS, Faults
from gateway_worker.sandbox.settings import SandboxSettings
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.whatsapp.stage import Account, Stage, settings_for
from tests.support.arrivals import InboundMessage
from tests.support.eventually import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

MESSAGES = 40


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def narrow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Open hosts whose spool takes a few messages, so that the others stay in the library."""
    async with Sandbox.open(SandboxSettings()) as sandbox:
        settings = settings_for(sandbox, spool_limit_bytes=1024)
        async with HostProcesses(settings) as processes:
            yield Stage(
                sandbox=sandbox,
                processes=processes,
                directory=tmp_path_factory.mktemp("sessions"),
            )


def steps(account: Account) -> int:
    """Return how many keys were used since the count began."""
    store = next(Path(account.directory).glob("*.db"))
    with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT coalesce(max(step), 0) FROM gateway_steps")
        return int(rows.fetchone()[0])


@pytest.mark.parametrize("is_resumed", [False, True])
async def test_what_is_sent_again_can_be_read_again(narrow: Stage, *, is_resumed: bool) -> None:
    """WhatsApp had no confirmation; every message arrives, also in the life of the pairing."""
    account = await narrow.linked()
    ben = await narrow.customer()
    if is_resumed:
        await account.stop()
        await account.resume()
    await ben.send_text(account.phone.number, "hello")
    await account.next(InboundMessage)
    await eventually(lambda: steps(account) == 0, reason="all is settled", timeout_seconds=30)
    account.acknowledging = False
    narrow.sandbox.faults.set(account.phone.number, Faults(lost_receipts=ALWAYS))
    sent = [await ben.send_text(account.phone.number, f"{number}") for number in range(MESSAGES)]
    await eventually(lambda: steps(account) == MESSAGES, reason="all keys are used")
    account.host.kill()
    await account.next(Exited)
    known = {message.message_id for message in account.messages()}
    assert len(known.intersection(sent)) < MESSAGES
    narrow.sandbox.faults.clear(account.phone.number)
    account.acknowledging = True

    await account.resume()

    await eventually(
        lambda: {message.message_id for message in account.messages()}.issuperset(sent),
        reason="every message arrives",
        timeout_seconds=30,
    )
    await account.stop()
