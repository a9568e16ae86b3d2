"""Asks WhatsApp about the recipients of a bulk before anything is sent to them."""

from collections.abc import Sequence

from gateway_contracts import BulkRow
from gateway_worker.commands.deferrals import RowBody
from gateway_worker.commands.deferred.open_bulk import OpenBulk
from gateway_worker.host_protocol.methods.contacts import CheckContacts
from gateway_worker.sessions.session.session import Session


async def absent_rows(
    session: Session, one: OpenBulk, rows: Sequence[RowBody]
) -> Sequence[RowBody]:
    """Return the rows, of at most 50, to numbers that are not on WhatsApp.

    Ids of WhatsApp's own are not asked about.

    Raises:
        GatewayError: Nobody has answered.
    """
    numbers = {
        row.row: to.removeprefix("+")
        for row in rows
        if "@" not in (to := BulkRow.model_validate_json(row.body).to)
    }
    if not numbers:
        return ()
    checked = await session.request(
        CheckContacts(numbers=tuple(numbers.values())), command_id=one.bulk.bulk_id
    )
    known = zip(numbers, checked.people, strict=True)
    absent = {row for row, person in known if person is None}
    return [row for row in rows if row.row in absent]
