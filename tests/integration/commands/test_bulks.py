"""Bulks as a worker finds them in the database."""

from typing import Any

from gateway_contracts import BulkFinished, BulkProgress, BulkReason, BulkState
from gateway_worker.commands.deferrals import RowBody
from gateway_worker.devkit.backend import Backend
from gateway_worker.sessions.changes import Change
from gateway_worker.sessions.deferred import Bulk
from gateway_worker.storage.db import Database, PostgresChangeStore
from gateway_worker.storage.db.bulks import PostgresBulkStore
from tests.integration.commands.support import Station
from tests.integration.storage.db.support import WORKER, finished, value
from tests.support.databases import execute
from tests.support.eventually import eventually


def begun(
    bulk_id: str,
    epoch: int,
    content: dict[str, Any],
    *,
    state: BulkState = BulkState.RUNNING,
) -> Change:
    """Return the end of the command that has made a bulk."""
    options = {
        "source": "/backends/test",
        "tenantid": None,
        "traceparent": None,
        "content": content,
        "stop": {"failed_percent": 30, "after_rows": 20},
        "check_contacts": False,
    }
    bulk = Bulk(bulk_id=bulk_id, load=f"load of {bulk_id}", state=state, rows=2, options=options)
    return finished(bulk_id, session="a", epoch=epoch, bulk=bulk)


async def test_a_bulk_that_cannot_be_read_holds_up_no_other(
    station: Station, backend: Backend, database: Database
) -> None:
    """Of a release that knew other contents; what is after it is taken up."""
    epoch = await value(database, "SELECT epoch FROM sessions WHERE id = 'a'")
    changes = PostgresChangeStore(database=database, worker_id=WORKER)
    await changes.commit(
        [
            begun("b1", epoch, {"kind": "hologram"}),
            begun("b2", epoch, {"kind": "text", "text": "hello"}),
        ]
    )

    told = await backend.expect(BulkProgress, "a")

    assert (told.data.bulk_id, told.data.state) == ("b2", BulkState.PAUSED)
    assert told.data.reason is BulkReason.NOT_LINKED
    assert station.dispatcher.waiting == 0


async def test_an_end_is_told_whatever_has_kept_it(
    station: Station, backend: Backend, database: Database, database_url: str
) -> None:
    """A fault that nobody has foreseen is as good as an outage: nobody else would ever tell it."""
    assert station.dispatcher.waiting == 0
    epoch = await value(database, "SELECT epoch FROM sessions WHERE id = 'a'")
    changes = PostgresChangeStore(database=database, worker_id=WORKER)
    change = begun("b", epoch, {"kind": "text", "text": "Hello"}, state=BulkState.CANCELLING)
    assert change.bulk is not None
    del change.bulk.options["tenantid"]
    rows = [RowBody(row=number, body=b"{}") for number in (1, 2)]
    await PostgresBulkStore(database=database).load("a", change.bulk.load, rows)
    await changes.commit([change])

    async def are_swept() -> bool:
        return bool(await value(database, "SELECT cancelled = 2 FROM bulks"))

    await eventually(are_swept, timeout_seconds=30.0)
    await execute(
        database_url, """UPDATE bulks SET options = options || '{"tenantid": "t"}'::jsonb"""
    )

    told = await backend.expect(BulkFinished, "a", seconds=60)
    assert (told.data.state, told.data.cancelled) == (BulkState.CANCELLED, 2)
