"""Asks WhatsApp about the recipients of a bulk before anything is sent to them."""

from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from gateway_contracts import BulkRow
from gateway_worker.commands.deferrals import RowBody
from gateway_worker.commands.deferred.open_bulk import OpenBulk
from gateway_worker.commands.number_checks import NumberChecks
from gateway_worker.sessions.session.session import Session

_MAX_AGE_SECONDS: Final = 3_600
"""How old an answer may be: as old as one to a `contact.check` that says nothing of that."""


async def absent_rows(
    session: Session, one: OpenBulk, rows: Sequence[RowBody], *, checks: NumberChecks
) -> Sequence[RowBody]:
    """Return the rows, of at most 50, to numbers that are not on WhatsApp.

    Ids of WhatsApp's own are not asked about. It never pauses: others' rows would wait, too. A row
    to somebody of whom WhatsApp says nothing is sent: that has an end of its own.

    Raises:
        RateLimitedError: The session has asked too often; it may ask again after a while.
        GatewayError: Nobody has answered.
    """
    numbers = {row.row: number for row in rows if (number := _number_of(row)) is not None}
    answers = await checks.ask(
        session,
        tuple(numbers.values()),
        max_age_seconds=_MAX_AGE_SECONDS,
        command_id=one.bulk.bulk_id,
        patience_seconds=0.0,
        may_lack=True,
    )
    found = answers.by_number
    absent = {
        row for row, number in numbers.items() if number in found and found[number].person is None
    }
    return [row for row in rows if row.row in absent]


def _number_of(row: RowBody) -> str | None:
    """Return the number that a row goes to; None if it goes to an id, or cannot be read."""
    try:
        to = BulkRow.model_validate_json(row.body).to
    except ValidationError:  # by another release; it is told when its turn comes
        return None
    return None if "@" in to else to.removeprefix("+")
