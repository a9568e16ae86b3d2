"""Bulks as a worker finds them in the database."""

from typing import Any

from gateway_contracts import BulkProgress, BulkReason, BulkState
from gateway_worker.devkit.backend import Backend
from gateway_worker.sessions.changes import Change
from gateway_worker.sessions.deferred import Bulk
from gateway_worker.storage.db import Database, PostgresChangeStore
from tests.integration.commands.support import Station
from tests.integration.storage.db.support import WORKER, finished, value


def begun(bulk_id: str, epoch: int, content: dict[str, Any]) -> Change:
    """Return the end of the command that has made a bulk."""
    options = {
        "source": "/backends/test",
        "tenantid": None,
        "traceparent": None,
        "content": content,
        "stop": {"failed_percent": 30, "after_rows": 20},
        "check_contacts": False,
    }
    bulk = Bulk(
        bulk_id=bulk_id, load=f"load of {bulk_id}", state=BulkState.RUNNING, rows=2, options=options
    )
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
