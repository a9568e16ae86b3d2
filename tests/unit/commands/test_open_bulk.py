"""When a bulk is paused by the gateway, and what its rows are as commands."""

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from gateway_contracts import BulkReason, BulkState, ErrorBody, ErrorCode, TextToSend
from gateway_worker.commands.deferrals import RowBody
from gateway_worker.commands.deferred.bulk_figures import figures_of
from gateway_worker.commands.deferred.open_bulk import OpenBulk, state_after
from gateway_worker.commands.deferred.rows_aside import RowsAside
from gateway_worker.commands.fingerprint import fingerprint
from gateway_worker.sessions.deferred import Bulk, RowState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROW = RowBody(row=7, body=b'{"to": "+15550100002", "variables": {"n": "7"}, "client_ref": "c"}')


def bulk(**values: Any) -> Bulk:
    """Return a bulk as the database has it."""
    options = {
        "source": "/backends/crm",
        "tenantid": "acme",
        "traceparent": None,
        "content": {"kind": "text", "text": "No {{n}}"},
        "stop": {"failed_percent": 50, "after_rows": 4},
        "check_contacts": False,
    }
    made = Bulk(bulk_id="b", load="l", state=BulkState.RUNNING, rows=10, options=options)
    return replace(made, **values)


def opened(**values: Any) -> OpenBulk:
    """Return it as its worker sees it."""
    return OpenBulk.of("s", 3, bulk(**values))


def ended(one: OpenBulk, *codes: ErrorCode | None) -> list[BulkReason | None]:
    """Return what each of some ends says of those that follow."""
    return [one.count(None if code is None else ErrorBody.of(code)) for code in codes]


FAILED = ErrorCode.RECIPIENT_NOT_ON_WHATSAPP


def test_more_failures_than_allowed_stop_it() -> None:
    """Not before so many have ended; what is uncertain counts as well. Then it begins anew."""
    one = opened()
    assert ended(one, FAILED, ErrorCode.UNCERTAIN, FAILED) == [None, None, None]
    assert ended(one, FAILED) == [BulkReason.FAILURES]
    assert one.counts == {RowState.SUCCEEDED: 0, RowState.FAILED: 3, RowState.UNCERTAIN: 1}

    one.begin_anew()
    assert ended(one, FAILED, None, None, FAILED) == [None] * 4
    assert ended(one, FAILED) == [BulkReason.FAILURES]


def test_its_last_row_ends_it_however_that_was() -> None:
    """A bulk that was paused with no row left would never be told as finished."""
    one = opened(rows=4)
    assert ended(one, FAILED, FAILED, FAILED, FAILED) == [None] * 4
    assert ended(opened(rows=1), ErrorCode.ACCOUNT_RESTRICTED) == [None]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (ErrorCode.ACCOUNT_RESTRICTED, BulkReason.ACCOUNT_RESTRICTED),
        (ErrorCode.REACHOUT_RESTRICTED, BulkReason.REACHOUT_RESTRICTED),
        (ErrorCode.SESSION_NOT_LINKED, BulkReason.NOT_LINKED),
    ],
)
def test_what_would_end_all_others_alike_stops_it_at_once(
    code: ErrorCode, reason: BulkReason
) -> None:
    """The first of them does."""
    assert ended(opened(), None, code) == [None, reason]


def test_it_goes_on_counting_where_another_worker_had_come_to() -> None:
    """With the database's counts."""
    one = opened(succeeded=3, failed=1, uncertain=1)
    assert one.ended == 5
    assert ended(one, None) == [None]
    assert one.counts[RowState.SUCCEEDED] == 4


def test_a_row_is_the_same_command_each_time() -> None:
    """Whoever feeds it: the inbox knows it by its id and what it says."""
    first, second = opened().command(ROW), opened().command(ROW)
    assert (first.id, first.subject, first.tenantid) == ("b/7", "s", "acme")
    assert first.data.content == TextToSend(text="No 7")
    assert first.data.client_ref == "c"
    assert fingerprint(first) == fingerprint(second)


def test_it_runs_when_its_time_has_come_and_nobody_holds_it() -> None:
    """And is not paused."""
    assert opened().is_running(NOW)
    assert not opened(starts_at=NOW + timedelta(seconds=1)).is_running(NOW)
    assert not opened(state=BulkState.PAUSED).is_running(NOW)
    one = opened()
    one.is_held = True
    assert not one.is_running(NOW)


def test_it_stands_still_only_where_it_should_go_on() -> None:
    """Neither what is paused, nor what its pacing holds back, nor what is over is stuck."""
    one = opened()
    one.moved_at = 100.0
    assert one.stalled_seconds(130.0) == 30

    one.not_before = 120.0
    assert (one.stalled_seconds(110.0), one.stalled_seconds(130.0)) == (0, 10)
    one.is_held = True
    assert one.stalled_seconds(130.0) == 0
    paused = opened(state=BulkState.PAUSED)
    assert paused.stalled_seconds(130.0) == 0
    over = opened()
    over.is_read = True
    assert over.stalled_seconds(130.0) == 0


def test_the_figures_of_all() -> None:
    """How many there are, what is left of them, and the one that stands still for longest."""
    first, second = opened(succeeded=3, failed=1), opened(rows=4, state=BulkState.PAUSED)
    first.moved_at = 100.0
    ended(first, None)

    figures = figures_of([first, second], at=107.0)

    assert figures.states == {BulkState.RUNNING: 1, BulkState.PAUSED: 1}
    assert (figures.rows_left, figures.stalled_seconds) == (5 + 4, 7)
    assert figures_of([], at=1.0).stalled_seconds == 0


def test_how_a_row_has_ended() -> None:
    """By its error."""
    errors = [None, ErrorBody.of(FAILED), ErrorBody.of(ErrorCode.UNCERTAIN)]

    assert [state_after(error) for error in errors] == [
        RowState.SUCCEEDED,
        RowState.FAILED,
        RowState.UNCERTAIN,
    ]


def test_a_row_that_cannot_be_read_is_a_command_still() -> None:
    """Its failure is told under the row's id."""
    unreadable = RowBody(row=8, body=b'{"to": "nobody"}')
    with pytest.raises(ValidationError):
        opened().command(unreadable)
    command = opened().command_of_failed(unreadable)
    assert (command.id, command.type, command.tenantid) == ("b/8", "wa.message.send.v1", "acme")
    assert opened().command_of_failed(ROW).data == opened().command(ROW).data


def test_only_what_has_begun_goes_on_of_a_cancelled_one() -> None:
    """Whatever was at hand of it before."""
    one = opened()
    one.is_read = one.has_begun_only = True
    one.now_is(bulk(state=BulkState.CANCELLING))
    assert not one.is_read
    assert not one.has_begun_only

    one.is_read = one.has_begun_only = True
    one.now_is(bulk(state=BulkState.CANCELLING))
    assert one.may_end


def test_it_does_not_end_while_its_rows_are_called_off() -> None:
    """Those of several people at once, until the last of them is done; then they are read anew."""
    one = opened()
    one.is_read = True
    assert one.may_end
    one.waiting.append(ROW)
    with ExitStack() as second:
        with one.changing():
            second.enter_context(one.changing())
        assert (one.is_busy, one.may_end) == (True, False)
    assert (one.is_busy, one.may_end, list(one.waiting)) == (False, False, [])
    one.is_read = True
    assert one.may_end


async def test_what_is_under_way_to_somebody_is_waited_for() -> None:
    """Until it has its end or is put back, whatever else is under way; or for so long."""
    one = opened()
    other = RowBody(row=8, body=b'{"to": "15550100003"}')
    one.fed = {7: ROW, 8: other, 9: RowBody(row=9, body=b"{}")}
    assert one.fed_to(["+15550100002", "15550100002"]) == {7}
    assert one.fed_to(["15550100004"]) == frozenset()

    waiting = asyncio.create_task(one.until_left([7], seconds=60))
    await asyncio.sleep(0)
    one.has_left(8)
    await asyncio.sleep(0)
    assert not waiting.done()
    one.has_left(7)
    await asyncio.wait_for(waiting, 30)
    assert list(one.fed) == [9]

    await one.until_left([9], seconds=0)
    assert list(one.fed) == [9]


JAPAN, AMERICA = "+8190", "+1202"
UNDER = object()


def row_to(number: int, country: str) -> RowBody:
    """Return a row to somebody in a country."""
    return RowBody(row=number, body=b'{"to": "%s5550%03d"}' % (country.encode(), number))


def at_hand(*countries: str) -> OpenBulk:
    """Return a bulk with rows to these at hand."""
    one = opened()
    one.waiting.extend(row_to(place + 1, country) for place, country in enumerate(countries))
    return one


def taken(one: OpenBulk, at: float, *quiet: str, under: object = UNDER) -> list[int]:
    """Return the rows that go while it is quiet in some countries, for 1,000 s."""
    rows = []
    while (
        row := one.next_row(
            at, quiet=lambda to: 1_000.0 if to.startswith(quiet) else 0.0, under=under
        )
    ) is not None:
        rows.append(row.row)
    return rows


def test_rows_pass_those_whose_recipients_have_quiet_hours() -> None:
    """These come when it is looked again and quiet no more; it is not over before."""
    one = at_hand(JAPAN, AMERICA, JAPAN, AMERICA)
    one.is_read = True

    assert taken(one, 0.0, JAPAN) == [2, 4]
    assert (one.is_over, one.stalled_seconds(9_000.0)) == (False, 0.0)
    assert taken(one, 599.0) == []
    assert taken(one, 600.0, JAPAN) == []
    assert taken(one, 1_200.0) == [1, 3]
    assert one.is_over


def test_other_quiet_hours_count_at_once() -> None:
    """A session may be set otherwise meanwhile."""
    one = at_hand(JAPAN, AMERICA)
    assert taken(one, 0.0, JAPAN) == [2]
    assert taken(one, 1.0, under=object()) == [1]


def test_a_bulk_waits_if_too_many_have_quiet_hours() -> None:
    """The rows after those keep their place, and it asks again after a while."""
    one = at_hand(JAPAN, JAPAN, AMERICA)
    one.aside = RowsAside(most_bytes=1)

    assert taken(one, 5.0, JAPAN) == []
    assert [row.row for row in one.waiting] == [2, 3]
    assert one.not_before == 65.0
    assert taken(one, 700.0) == [1, 2, 3]


def test_rows_that_are_read_anew_are_nowhere_else() -> None:
    """Those that were set aside are in the database like the others."""
    one = at_hand(JAPAN, AMERICA)
    assert taken(one, 0.0, JAPAN) == [2]

    with one.changing():
        pass

    assert (len(one.aside), len(one.waiting), one.last) == (0, 0, 0)


def test_many_rows_are_looked_at_in_turns() -> None:
    """Others have theirs in between."""
    one = at_hand(*[JAPAN] * 250, AMERICA)

    def look() -> RowBody | None:
        return one.next_row(
            0.0, quiet=lambda to: 1_000.0 if to.startswith(JAPAN) else 0.0, under=UNDER
        )

    assert [look(), look()] == [None, None]
    assert len(one.waiting) == 51
    found = look()
    assert found is not None
    assert found.row == 251
