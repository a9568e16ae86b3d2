"""What is counted of sessions, and what is told of them beside their traffic, once."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway_contracts import (
    Account,
    AnalyticsCountersData,
    AnalyticsFleetData,
    ErrorCode,
    HealthGrade,
    ReceiptStatus,
    SessionInfo,
    SessionState,
)
from gateway_worker.analytics.build import build_reviews
from gateway_worker.analytics.counters import CounterReading
from gateway_worker.analytics.review import SessionReviews
from gateway_worker.sessions.changes import Change, Committed, CountedDay, Direction
from gateway_worker.storage.db import Database, PostgresChangeStore
from gateway_worker.storage.db.analytics import PostgresAnalyticsStore
from gateway_worker.storage.db.failures import StatementRefusedError
from gateway_worker.storage.db.retention import PostgresHistory
from tests.integration.storage.db.support import (
    CHAT,
    OTHER,
    WORKER,
    count,
    failed,
    finished,
    message,
    opened,
    receipt,
    session_row,
)
from tests.support.clocks import ManualClock
from tests.support.databases import execute
from tests.support.eventually import eventually

ME = Account(jid="12025550100:1@s.whatsapp.net", phone_number="+12025550100")
GROUP = "120363025550100001@g.us"
DAY = timedelta(days=1)


def move(clock: ManualClock, **by: float) -> None:
    """Let time go by."""
    clock.seconds += timedelta(**by).total_seconds()


@dataclass(slots=True)
class Reviewed:
    """The session `s` as it is looked at, on a real database."""

    changes: PostgresChangeStore
    session_id: str = "s"
    epoch: int = 1
    account: Account | None = ME
    retry_receipts: int = 0
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    heard_at: datetime | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    refused: frozenset[str] = frozenset()

    def info(self) -> SessionInfo:
        """Return how it stands."""
        return SessionInfo(
            state=SessionState.CONNECTED,
            labels={"team": "sales"},
            created_at=self.created_at,
            heard_at=self.heard_at,
        )

    def record(self, change: Change) -> "asyncio.Future[Committed]":
        """Commit a change, and note what it tells."""
        return asyncio.ensure_future(self._commit(change))

    async def _commit(self, change: Change) -> Committed:
        if {event.correlationid for event in change.events} & self.refused:
            raise StatementRefusedError(sqlstate="22P05", constraint=None, table="outbox")
        (committed,) = await self.changes.commit([change])
        self.events += [json.loads(row.body) for row in committed.rows]
        return committed


@pytest.fixture
def clock() -> ManualClock:
    """Half past noon of today, so that no day ends by chance."""
    now = datetime.now(UTC)
    return ManualClock(at=now.replace(hour=12, minute=30))


@pytest.fixture
async def database(database_url: str) -> Any:
    """A database with the sessions `s` and `t`."""
    async with opened(database_url, session_row("s"), session_row("t")) as database:
        yield database


@pytest.fixture
def changes(database: Database) -> PostgresChangeStore:
    """The worker's changes."""
    return PostgresChangeStore(database=database, worker_id=WORKER)


@pytest.fixture
def session(changes: PostgresChangeStore) -> Reviewed:
    """The session."""
    return Reviewed(changes=changes)


def looking(
    database: Database, session: Reviewed, clock: ManualClock, **settings: float
) -> SessionReviews:
    """Return what looks at the session, as a worker that has just started has it."""
    values = {"undelivered_seconds": 0.0, "health_seconds": 0.0, **settings}
    return build_reviews(
        PostgresAnalyticsStore(database=database),
        worker_id=WORKER,
        sessions=lambda: [session],
        clock=clock,
        **values,
    )


async def look(reviews: SessionReviews, session: Reviewed) -> list[dict[str, Any]]:
    """Look at the session once; returns what that has told."""
    seen = len(session.events)
    await reviews.take_up([session])
    await reviews.look(session)
    return session.events[seen:]


def sent(number: int, *, chat: str = CHAT, **row: Any) -> Change:
    """Return a message that a command has sent."""
    return message(
        number,
        direction=Direction.OUT,
        sender=ME.jid,
        command_id=f"c{number}",
        client_ref=f"order-{number}",
        chat=chat,
        **row,
    )


async def stored_at(url: str, at: datetime, *numbers: int) -> None:
    """Let messages have been stored at another time."""
    ids = ", ".join(f"'M{number}'" for number in numbers)
    await execute(
        url, f"UPDATE messages SET stored_at = '{at.isoformat()}' WHERE message_id IN ({ids})"
    )


def told(events: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return the data of events of a kind."""
    return [event["data"] for event in events if event["type"] == kind]


async def test_undelivered_messages_are_told_once(
    database: Database,
    database_url: str,
    changes: PostgresChangeStore,
    session: Reviewed,
    clock: ManualClock,
) -> None:
    """After a while without a receipt, by name of their commands; not again after a restart."""
    analytics = looking(database, session, clock, undelivered_seconds=3600)
    await changes.commit([sent(1)])  # before anybody looked
    await stored_at(database_url, clock.now() - timedelta(hours=2), 1)
    assert await look(analytics, session) == []

    later = clock.now() - timedelta(minutes=30)
    await changes.commit(
        [sent(2), sent(3), sent(4, chat=GROUP), sent(5, chat="12025550100@s.whatsapp.net")]
    )
    # In another chat somebody else may name the same id.
    elsewhere = receipt(2, ReceiptStatus.DELIVERED, chat=GROUP, participant=OTHER)
    await changes.commit([message(6), receipt(3, ReceiptStatus.DELIVERED), elsewhere])
    await stored_at(database_url, later, 2, 3, 4, 5, 6)
    assert await look(analytics, session) == []
    move(clock, minutes=31)

    events = await look(analytics, session)
    failures = told(events, "wa.message.failed.v1")
    assert sorted(one["message_id"] for one in failures) == ["M2", "M4"]
    (about,) = (one for one in failures if one["message_id"] == "M2")
    assert (about["reason"], about["client_ref"], about["chat_id"]) == (
        "undelivered",
        "order-2",
        CHAT,
    )
    assert {event["correlationid"] for event in events} == {"c2", "c4"}

    again = looking(database, session, clock, undelivered_seconds=3600)
    assert await look(again, session) == []
    move(clock, hours=3)
    assert await look(again, session) == []
    assert await look(looking(database, session, clock, undelivered_seconds=3600), session) == []


async def test_one_that_cannot_be_told_holds_up_no_other(
    database: Database,
    database_url: str,
    changes: PostgresChangeStore,
    session: Reviewed,
    clock: ManualClock,
) -> None:
    """What the database refuses for good is passed over; the others are told, and once."""
    analytics = looking(database, session, clock, undelivered_seconds=3600)
    await look(analytics, session)
    await changes.commit([sent(1), sent(2), sent(3)])
    for number in (1, 2, 3):
        await stored_at(database_url, clock.now() + timedelta(seconds=number), number)
    move(clock, hours=2)
    session.refused = frozenset({"c2"})

    failures = told(await look(analytics, session), "wa.message.failed.v1")
    assert [one["message_id"] for one in failures] == ["M1", "M3"]
    assert await look(analytics, session) == []


async def test_sessions_are_looked_at_by_themselves(
    database: Database,
    database_url: str,
    changes: PostgresChangeStore,
    session: Reviewed,
) -> None:
    """Until the worker stops; what the database does not answer now is asked again."""
    clock = ManualClock(at=datetime.now(UTC))
    reviews = looking(database, session, clock, undelivered_seconds=60, interval_seconds=0.05)
    stop = asyncio.Event()
    await execute(database_url, "ALTER TABLE session_reviews RENAME TO hidden")
    running = asyncio.create_task(reviews.run(stop))
    await changes.commit([sent(1)])
    await stored_at(database_url, clock.now() + timedelta(seconds=1), 1)
    await execute(database_url, "ALTER TABLE hidden RENAME TO session_reviews")

    async def is_noted() -> bool:
        return await count(database, "session_reviews") == 1

    await eventually(is_noted, reason="it is noted from where on is looked")
    move(clock, seconds=62)
    await eventually(lambda: session.events, reason="it is told")

    stop.set()
    await running
    assert len(told(session.events, "wa.message.failed.v1")) == 1


async def test_a_clock_that_is_off_says_of_nothing_that_it_is_over(
    database: Database, changes: PostgresChangeStore, session: Reviewed
) -> None:
    """What was sent a moment ago is not undelivered, nor a day over that has not begun."""
    clock = ManualClock(at=datetime.now(UTC))
    reviews = looking(database, session, clock, undelivered_seconds=60, interval_seconds=0.02)
    assert await reviews.is_in_time()
    stop, looks = asyncio.Event(), 0
    running = asyncio.create_task(reviews.run(stop))

    async def is_noted() -> bool:
        return await count(database, "session_reviews") == 1

    await eventually(is_noted, reason="it is noted from where on is looked")
    with capture_logs() as logs:
        for days in (10, -20):
            move(clock, days=days)
            assert not await reviews.is_in_time()
            await changes.commit([sent(days)])
            looks = len(logs)
            await eventually(lambda: len(logs) > looks + 2, reason="it would have looked")  # noqa: B023
        move(clock, days=10)
        assert await reviews.is_in_time()
    stop.set()
    await running
    assert session.events == []
    (review,) = (await PostgresAnalyticsStore(database=database).reviews(["s"])).values()
    assert review.told_day is None or review.told_day < clock.now().date()


async def test_a_former_owner_tells_nothing(
    database: Database,
    database_url: str,
    changes: PostgresChangeStore,
    session: Reviewed,
    clock: ManualClock,
) -> None:
    """Another worker has the session by now: what is due is that one's to tell."""
    analytics = looking(database, session, clock, undelivered_seconds=60)
    await look(analytics, session)
    await changes.commit([sent(1)])
    await stored_at(database_url, clock.now(), 1)
    move(clock, minutes=2)
    await execute(database_url, f"UPDATE sessions SET epoch = 2, worker_id = '{OTHER}'")

    assert await look(analytics, session) == []

    session.epoch = 2
    assert len(await look(looking(database, session, clock, undelivered_seconds=60), session)) == 1


async def test_a_day_is_counted_from_what_is_stored(
    database: Database, changes: PostgresChangeStore, clock: ManualClock
) -> None:
    """By kind, what was sent, delivered, read and received; failures by their code."""
    await changes.commit([message(1), message(2), sent(3), sent(4), sent(5)])
    await changes.commit([message(6, direction=Direction.OUT, sender=ME.jid)])
    await changes.commit(
        [
            receipt(3, ReceiptStatus.DELIVERED),
            receipt(3, ReceiptStatus.READ),
            receipt(4, ReceiptStatus.DELIVERED),
            receipt(4, ReceiptStatus.DELIVERED, participant="other@s.whatsapp.net"),
        ]
    )
    await changes.commit([failed("f1", session="s"), failed("f2", session="s")])
    today = clock.now().date()
    counters = CounterReading(store=PostgresAnalyticsStore(database=database), clock=clock)

    data = AnalyticsCountersData(since=today - timedelta(days=1), until=today)
    (day,) = (await counters.read("s", data)).days

    assert day.day == today
    (texts,) = day.kinds
    assert texts.model_dump() == {
        "content_kind": "text",
        "sent": 3,
        "delivered": 2,
        "read": 1,
        "sent_elsewhere": 1,
        "received": 2,
    }
    assert day.failed == {ErrorCode.SESSION_NOT_FOUND: 2}
    assert (await counters.read("t", data)).days == ()


async def test_a_day_that_is_over_is_told_once(
    database: Database,
    database_url: str,
    changes: PostgresChangeStore,
    session: Reviewed,
    clock: ManualClock,
) -> None:
    """With the session's labels; receipts that come later are counted in for some days."""
    session.created_at = clock.now()
    analytics = looking(database, session, clock)
    day = clock.now().date()
    await changes.commit([sent(1), message(2)])
    await stored_at(database_url, clock.now(), 1, 2)
    assert await look(analytics, session) == []

    move(clock, days=1)
    (event,) = told(await look(analytics, session), "wa.analytics.daily.v1")
    assert event["labels"] == {"team": "sales"}
    assert event["counts"]["day"] == day.isoformat()
    (texts,) = event["counts"]["kinds"]
    assert (texts["sent"], texts["delivered"], texts["received"]) == (1, 0, 1)
    assert await look(analytics, session) == []
    assert await look(looking(database, session, clock), session) == []

    await changes.commit([receipt(1)])
    for _ in range(4):
        move(clock, days=1)
        assert await look(analytics, session) == []  # of days on which there was nothing
    await execute(database_url, "DELETE FROM messages")
    asked = AnalyticsCountersData(since=day, until=day)
    counters = CounterReading(store=PostgresAnalyticsStore(database=database), clock=clock)
    (counted,) = (await counters.read("s", asked)).days
    (texts_again,) = counted.kinds
    assert (texts_again.sent, texts_again.delivered) == (1, 1)


async def test_missed_days_are_told_one_by_one(
    database: Database,
    database_url: str,
    changes: PostgresChangeStore,
    session: Reviewed,
    clock: ManualClock,
) -> None:
    """When the gateway was away for days."""
    session.created_at = clock.now()
    await changes.commit([message(1)])
    await stored_at(database_url, clock.now(), 1)
    move(clock, days=1)
    assert len(await look(looking(database, session, clock), session)) == 1
    await changes.commit([message(2), message(3)])
    await stored_at(database_url, clock.now(), 2)
    move(clock, days=1)
    await stored_at(database_url, clock.now(), 3)
    move(clock, days=2)

    analytics = looking(database, session, clock)
    days = [
        one["counts"]["day"]
        for _ in range(4)
        for one in told(await look(analytics, session), "wa.analytics.daily.v1")
    ]

    first = clock.now().date() - timedelta(days=3)
    assert days == [first.isoformat(), (first + timedelta(days=1)).isoformat()]


async def test_the_grade_is_told_when_it_changes(
    database: Database,
    database_url: str,
    changes: PostgresChangeStore,
    session: Reviewed,
    clock: ManualClock,
) -> None:
    """By what was sent in the last hour; what was told is known to the next worker, too."""
    analytics = looking(database, session, clock, health_seconds=60)
    people = [f"1202555{number:04}@s.whatsapp.net" for number in range(20)]
    await changes.commit([sent(number, chat=chat) for number, chat in enumerate(people, start=10)])
    await changes.commit([message(1, chat=people[0])])  # who has written is not cold
    await execute(database_url, f"UPDATE messages SET stored_at = '{clock.now().isoformat()}'")
    await execute(
        database_url,
        f"""INSERT INTO commands (id, session_id, type, state, outcome, attempts, received_at)
            SELECT 'x' || n, 's', 'wa.message.send.v1',
                CASE WHEN n <= 12 THEN 'failed' ELSE 'succeeded' END,
                CASE WHEN n <= 2 THEN '{{"error": {{"code": "reachout_restricted"}}}}'
                    WHEN n <= 12 THEN '{{"error": {{"code": "upstream_timeout"}}}}'
                    ELSE '{{}}' END::jsonb, 1, '{clock.now().isoformat()}'
            FROM generate_series(1, 30) AS n""",
    )
    session.heard_at = clock.now()

    assert await look(analytics, session) == []
    assert await look(analytics, session) == []  # too soon for another look
    move(clock, seconds=61)
    session.retry_receipts = 4
    (event,) = told(await look(analytics, session), "wa.session.health.v1")
    assert (event["grade"], event["previous"]) == ("poor", "good")
    assert set(event["reasons"]) == {"failures", "cold_chats"}
    assert {name: event[name] for name in ("sends", "failures", "refusals")} == {
        "sends": 30,
        "failures": 12,
        "refusals": 2,
    }
    assert (event["chats"], event["cold_chats"], event["retry_receipts"]) == (20, 19, 4)
    assert event["silent_seconds"] == 61.0
    figures = analytics.figures()
    assert (figures.chats, figures.cold_chats, figures.grades) == (20, 19, {HealthGrade.POOR: 1})

    other = looking(database, session, clock, health_seconds=60)
    for _ in range(2):
        assert await look(other, session) == []
        move(clock, seconds=61)
    move(clock, hours=2)
    session.heard_at = None
    events = []
    for _ in range(3):
        events += await look(other, session)
        move(clock, seconds=61)
    (event,) = told(events, "wa.session.health.v1")
    assert (event["grade"], event["previous"], event["reasons"]) == ("good", "poor", [])
    assert HealthGrade(event["grade"]) is HealthGrade.GOOD


async def test_what_was_counted_goes_with_its_session(
    database: Database, changes: PostgresChangeStore, session: Reviewed, clock: ManualClock
) -> None:
    """And with time, like all that is kept."""
    day = await PostgresAnalyticsStore(database=database).count("s", clock.now().date())
    counted = (CountedDay(counts=day, labels={}),)
    for session_id in ("s", "t"):
        await changes.commit([Change(session_id=session_id, epoch=1, counted=counted)])
    await look(looking(database, session, clock, undelivered_seconds=60), session)
    assert await count(database, "session_reviews") == 1

    await changes.commit([finished("d", delete=True)])

    assert await count(database, "session_reviews") == 0
    assert await count(database, "daily_counts") == 1
    *_, shelf = PostgresHistory(database=database).shelves(
        commands=DAY, messages=DAY, receipts=DAY, counts=DAY
    )
    assert (shelf.name, await shelf.prune(10)) == ("daily_counts", 0)
    async with database.direct("making it older") as connection:
        await connection.execute("UPDATE daily_counts SET day = day - 2")
    assert await shelf.prune(10) == 1


COUNTED = """
    INSERT INTO daily_counts (session_id, day, counts, labels) VALUES
    ('s', '2026-11-22', '{"kinds": [{"content_kind": "text", "sent": 2, "read": 1}]}',
        '{"team": "sales"}'),
    ('t', '2026-11-22', '{"kinds": [{"content_kind": "text", "sent": 3, "received": 4}],
        "failed": {"internal": 2}}', '{"team": "sales", "place": "north"}'),
    ('t', '2026-11-23', '{"kinds": [], "failed": {"internal": 1}}', '{"team": "sales"}'),
    ('acme.shop', '2026-11-22', '{"kinds": [{"content_kind": "image", "sent": 7}]}',
        '{"team": "support"}'),
    ('s', '2026-11-25', '{"kinds": [{"content_kind": "text", "sent": 100}]}', '{"team": "sales"}')
"""


async def test_days_of_several_sessions_are_added_up(
    database: Database, database_url: str, clock: ManualClock
) -> None:
    """By the labels that they had; a tenant has its own only."""
    await execute(database_url, COUNTED)
    reading = CounterReading(store=PostgresAnalyticsStore(database=database), clock=clock)

    async def told(tenant: str | None = None, **labels: str) -> tuple[int, list[dict[str, Any]]]:
        data = {"since": "2026-11-22", "until": "2026-11-23", "labels": labels}
        found = await reading.read_fleet(
            AnalyticsFleetData.model_validate(data, strict=False), tenant=tenant
        )
        days = [day.model_dump(mode="json", exclude_defaults=True) for day in found.days]
        return found.sessions, days

    text = {"content_kind": "text", "sent": 5, "read": 1, "received": 4}
    image = {"content_kind": "image", "sent": 7}
    first = {"day": "2026-11-22", "kinds": [text], "failed": {"internal": 2}}
    second = {"day": "2026-11-23", "failed": {"internal": 1}}
    assert await told(team="sales") == (2, [first, second])
    assert await told() == (3, [{**first, "kinds": [image, text]}, second])
    assert await told("acme") == (1, [{"day": "2026-11-22", "kinds": [image]}])
    assert await told("acme", team="sales") == (0, [])
