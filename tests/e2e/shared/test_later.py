"""What is sent at a time of its own, and many at once: each row once, with its outcome."""

from __future__ import annotations

import asyncio
import json
import secrets
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from gateway_contracts import (
    BulkCancel,
    BulkCheck,
    BulkCreate,
    BulkFinished,
    BulkId,
    BulkInfo,
    BulkPause,
    BulkReason,
    BulkResume,
    BulkState,
    BulkStatus,
    CommandFailed,
    CommandScheduled,
    CommandSucceeded,
    ContactErase,
    ErrorCode,
    MessageReceived,
    Pacing,
    PacingProfile,
    PersonData,
    QuietHours,
    RecipientPacing,
    ScheduleCancel,
    ScheduleCancelData,
    SentInfo,
)
from gateway_contracts.events.bulk import BulkProgress
from gateway_worker.sandbox.service.fault_rules import Blank, Point, Rule, Who
from gateway_worker.sandbox.service.faults import Faults
from tests.e2e.shared.test_files_sent import uploaded
from tests.e2e.shared.test_pacing import set_pacing

if TYPE_CHECKING:
    from gateway_worker.sandbox.phones.phone import Phone
    from tests.e2e.harness import Gateway

NOBODY = "+12025559999"


def bulk(gateway: Gateway, name: str, **data: Any) -> BulkCreate:
    """Return the command that sends many."""
    return BulkCreate.model_validate(
        {"source": gateway.backend.source, "subject": name, "data": data}
    )


def of(kind: type[Any], gateway: Gateway, name: str, bulk_id: str) -> Any:
    """Return a command about a bulk."""
    return kind(source=gateway.backend.source, subject=name, data=BulkId(bulk_id=bulk_id))


def outcomes(gateway: Gateway, name: str, bulk_id: str) -> dict[int, list[ErrorCode | None]]:
    """Return how each row of a bulk has ended, as often as that was told."""
    found: dict[int, list[ErrorCode | None]] = {}
    for event in gateway.backend.events_of(name):
        match event:
            case CommandSucceeded(data=data) if data.bulk_id == bulk_id:
                assert isinstance(data.result, SentInfo)
                found.setdefault(data.row or 0, []).append(None)
            case CommandFailed(data=data) if data.bulk_id == bulk_id:
                found.setdefault(data.row or 0, []).append(data.error.code)
    return found


async def finished(gateway: Gateway, name: str, bulk_id: str) -> BulkFinished:
    """Wait for the end of a bulk."""
    return await gateway.backend.expect(
        BulkFinished, name, lambda event: event.data.bulk_id == bulk_id, seconds=60
    )


async def lines(url: str | None) -> list[dict[str, Any]]:
    """Read a result."""
    assert url is not None

    def read() -> bytes:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return bytes(answer.read())

    return [json.loads(line) for line in (await asyncio.to_thread(read)).splitlines()]


async def texts(phone: Phone, count: int) -> list[str | None]:
    """Return the texts that a phone shows next."""
    return [(await phone.next_message(timeout=30)).text for _ in range(count)]


async def test_a_send_has_a_time_of_its_own(gateway: Gateway, name: str) -> None:
    """It is told as scheduled at once, and sent when it is due; one that is called off never is."""
    phone, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    due_at = datetime.now(UTC) + timedelta(seconds=1)
    command = gateway.text(name, ada.number, "later", scheduled_at=due_at, client_ref="l-1")

    await gateway.backend.publish(command)
    scheduled = await gateway.backend.expect(CommandScheduled, name)
    await gateway.send(name, ada.number, "now")
    outcome = await gateway.backend.outcome(command.id)

    assert (scheduled.correlationid, scheduled.data.client_ref) == (command.id, "l-1")
    assert isinstance(outcome, CommandSucceeded)
    assert outcome.time >= due_at
    assert await texts(ada, 2) == ["now", "later"]

    tomorrow = gateway.text(
        name, ada.number, "never", scheduled_at=datetime.now(UTC) + timedelta(days=1)
    )
    await gateway.backend.publish(tomorrow)
    await gateway.backend.expect(
        CommandScheduled, name, lambda event: event.correlationid == tomorrow.id
    )
    await gateway.succeed(
        ScheduleCancel(
            source=gateway.backend.source,
            subject=name,
            data=ScheduleCancelData(command_id=tomorrow.id),
        )
    )
    ended = await gateway.backend.outcome(tomorrow.id)
    assert isinstance(ended, CommandFailed)
    assert ended.data.error.code is ErrorCode.CANCELLED


async def test_rows_are_sent_each_once_with_an_outcome(gateway: Gateway, name: str) -> None:
    """With variables, with a content of its own, and to nobody; a file has how each has ended."""
    phone, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    rows: list[dict[str, Any]] = [
        {"to": ada.number, "variables": {"name": f"Ada {number}"}, "client_ref": f"c-{number}"}
        for number in range(4)
    ]
    rows += [{"to": NOBODY, "variables": {"name": "x"}}]
    rows += [{"to": ada.number, "content": {"kind": "text", "text": "Bye"}}]
    content = {"kind": "text", "text": "Hello {{name}}"}

    checked = await gateway.succeed(
        bulk(gateway, name, content=content, rows=[*rows, {"to": NOBODY}], dry_run=True)
    )
    assert isinstance(checked, BulkCheck)
    assert [(fault.row, fault.pointer) for fault in checked.faults] == [(7, "/variables/name")]

    command = bulk(gateway, name, content=content, rows=rows)
    made = await gateway.succeed(command)
    assert isinstance(made, BulkInfo)
    assert (made.rows, made.state) == (6, BulkState.RUNNING)
    end = await finished(gateway, name, command.id)

    counts = (end.data.succeeded, end.data.failed, end.data.uncertain, end.data.cancelled)
    assert counts == (5, 1, 0, 0)
    assert await texts(ada, 5) == [*(f"Hello Ada {number}" for number in range(4)), "Bye"]
    nobody = ErrorCode.RECIPIENT_NOT_ON_WHATSAPP
    ended = {row: [None if row != 5 else nobody] for row in range(1, 7)}
    assert outcomes(gateway, name, command.id) == ended
    assert end.data.result is not None
    told = await lines(end.data.result.url)
    assert [line["state"] for line in told] == ["succeeded"] * 4 + ["failed", "succeeded"]
    assert told[4]["code"] == "recipient_not_on_whatsapp"
    assert told[0]["id"] == f"{command.id}/1"
    first = await gateway.backend.outcome(f"{command.id}/1")
    assert first.data.client_ref == "c-0"

    status = await gateway.succeed(of(BulkStatus, gateway, name, command.id))
    assert (status.state, status.succeeded) == (BulkState.FINISHED, 5)
    assert status.result.key == end.data.result.key
    again = await gateway.backend.request(command)
    assert isinstance(again, CommandSucceeded)
    assert len(outcomes(gateway, name, command.id)) == 6


async def test_rows_come_out_of_a_file_and_are_checked_before(gateway: Gateway, name: str) -> None:
    """More of them than are read at a time; what is wrong with one keeps all from being sent."""
    phone, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    head, count = "to,name\n", 60
    good = [f"{ada.number},{number}\n" for number in range(count - 1)] + [f"{NOBODY},x\n"]
    content = {"kind": "text", "text": "{{name}}"}

    async def file(*lines: str) -> dict[str, Any]:
        data = "".join((head, *lines)).encode()
        media_id = await uploaded(gateway, name, "text/csv", data)
        return {"media": {"source": "upload", "media_id": media_id}, "format": "csv"}

    bad = await file(*good, "nobody,x\n")
    refused = await gateway.fail(bulk(gateway, name, content=content, file=bad))
    assert refused.data.error.code is ErrorCode.INVALID_COMMAND
    assert refused.data.error.errors[0].pointer == "/data/file"
    assert "row 61, /to" in refused.data.error.errors[0].detail

    command = bulk(gateway, name, content=content, file=await file(*good), check_contacts=True)
    await gateway.succeed(command)
    end = await finished(gateway, name, command.id)

    assert (end.data.succeeded, end.data.failed) == (count - 1, 1)
    assert await texts(ada, count - 1) == [f"{number}" for number in range(count - 1)]
    assert all(len(each) == 1 for each in outcomes(gateway, name, command.id).values())


async def test_a_number_of_which_nothing_is_said_holds_up_no_bulk(
    gateway: Gateway, name: str
) -> None:
    """It is sent to: a send says more of its recipient than a look-up that leaves it out."""
    phone, ada, ben = [await gateway.sandbox.add_phone() for _ in range(3)]
    await gateway.link(name, phone)
    await gateway.send(name, ada.number, "known by its id")
    passed_over = Rule(
        id=f"nothing-{ada.number}",
        point=Point.LOOKUP,
        who=Who(number=ada.number),
        effect=Blank(),
    )
    gateway.sandbox.service.faults.add(passed_over)
    rows = [{"to": ada.number}, {"to": ben.number}, {"to": NOBODY}]
    content = {"kind": "text", "text": "Hello"}
    command = bulk(gateway, name, content=content, rows=rows, check_contacts=True)
    await gateway.succeed(command)
    end = await finished(gateway, name, command.id)
    gateway.sandbox.service.faults.remove(passed_over.id)

    assert (end.data.succeeded, end.data.failed) == (2, 1)
    assert await texts(ben, 1) == ["Hello"]
    assert await texts(ada, 2) == ["known by its id", "Hello"]


async def test_a_bulk_is_paused_resumed_and_called_off(gateway: Gateway, name: str) -> None:
    """By its backend, and by itself when WhatsApp forbids new chats."""
    phone, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    content = {"kind": "text", "text": "Hello"}
    rows = [{"to": ada.number}] * 3
    await ada.send_text(phone.number, "Hi")  # a chat that is known goes on after a refusal
    await gateway.backend.expect(MessageReceived, name)

    gateway.sandbox.faults.set(phone.number, Faults(error_acks=1, ack_error=463))
    command = bulk(gateway, name, content=content, rows=rows)
    await gateway.succeed(command)
    stopped = await gateway.backend.expect(
        BulkProgress, name, lambda event: event.data.state is BulkState.PAUSED
    )
    assert stopped.data.reason is BulkReason.REACHOUT_RESTRICTED
    assert stopped.data.failed == 1

    resumed = await gateway.succeed(of(BulkResume, gateway, name, command.id))
    assert (resumed.state, resumed.reason) == (BulkState.RUNNING, None)
    assert (await finished(gateway, name, command.id)).data.rows == 3

    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    waiting = bulk(gateway, name, content=content, rows=rows, scheduled_at=later)
    await gateway.succeed(waiting)
    paused = await gateway.succeed(of(BulkPause, gateway, name, waiting.id))
    assert paused.state is BulkState.PAUSED
    await gateway.succeed(of(BulkCancel, gateway, name, waiting.id))
    end = await finished(gateway, name, waiting.id)
    assert (end.data.state, end.data.cancelled) == (BulkState.CANCELLED, 3)
    assert end.data.result is not None
    assert {line["state"] for line in await lines(end.data.result.url)} == {"cancelled"}
    assert outcomes(gateway, name, waiting.id) == {}


async def test_what_is_sent_later_keeps_the_pace_of_its_session(
    gateway: Gateway, name: str
) -> None:
    """Nothing fails because it has to wait, and a send to somebody else does not wait for it."""
    phone, ada, ben = [await gateway.sandbox.add_phone() for _ in range(3)]
    await gateway.link(name, phone)
    recipient = RecipientPacing(burst=1, seconds=2)
    await set_pacing(gateway, name, Pacing(profile=PacingProfile.TRUSTED, recipient=recipient))
    due_at = datetime.now(UTC) + timedelta(seconds=1)
    scheduled = gateway.text(name, ada.number, "later", scheduled_at=due_at)
    await gateway.backend.publish(scheduled)
    rows = [{"to": ada.number, "content": {"kind": "text", "text": f"{row}"}} for row in range(2)]
    command = bulk(gateway, name, rows=rows)

    await gateway.succeed(command)
    await gateway.send(name, ben.number, "meanwhile")
    end = await finished(gateway, name, command.id)

    assert (end.data.succeeded, end.data.failed) == (2, 0)
    assert isinstance(await gateway.backend.outcome(scheduled.id), CommandSucceeded)
    assert sorted(text or "" for text in await texts(ada, 3)) == ["0", "1", "later"]


async def test_a_person_who_is_erased_is_in_no_bulk(gateway: Gateway, name: str) -> None:
    """Rows to the person are called off, and the results of others name the chat no more."""
    phone, ada, ben = [await gateway.sandbox.add_phone() for _ in range(3)]
    await gateway.link(name, phone)
    content = {"kind": "text", "text": "Hello"}
    rows = [{"to": f"+{ada.number}"}, {"to": ben.number}]
    sent = bulk(gateway, name, content=content, rows=rows)
    await gateway.succeed(sent)
    await finished(gateway, name, sent.id)
    due_at = datetime.now(UTC) + timedelta(hours=1)
    later = bulk(gateway, name, content=content, rows=rows, scheduled_at=due_at.isoformat())
    await gateway.succeed(later)

    person = PersonData(contact=f"+{ada.number}")
    erase = ContactErase(source=gateway.backend.source, subject=name, data=person)
    await gateway.succeed(erase)

    waits = await gateway.succeed(of(BulkStatus, gateway, name, later.id))
    assert (waits.state, waits.rows, waits.cancelled) == (BulkState.RUNNING, 2, 1)
    status = await gateway.succeed(of(BulkStatus, gateway, name, sent.id))
    to_ada, to_ben = await lines(status.result.url)
    assert (to_ada["state"], to_ada.get("chat")) == ("succeeded", None)
    assert to_ben["chat"].startswith(ben.number)


async def test_rows_pass_those_whose_recipients_sleep(gateway: Gateway, name: str) -> None:
    """Quiet hours at one end of the world hold up nobody at the other; nor what is set later."""
    phone, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    asleep = await gateway.sandbox.add_phone(f"8190{secrets.randbelow(10**8):08}")
    await gateway.link(name, phone)
    there = datetime.now(ZoneInfo("Asia/Tokyo"))
    quiet = QuietHours(
        start=f"{there - timedelta(hours=1):%H:%M}", end=f"{there + timedelta(hours=1):%H:%M}"
    )
    await set_pacing(gateway, name, Pacing(profile=PacingProfile.TRUSTED, quiet_hours=quiet))
    rows = [{"to": one.number} for one in (asleep, ada)]
    command = bulk(gateway, name, content={"kind": "text", "text": "Sale"}, rows=rows)

    await gateway.succeed(command)
    assert await texts(ada, 1) == ["Sale"]
    assert list(asleep.inbox) == []
    await set_pacing(gateway, name, Pacing(profile=PacingProfile.OFF))
    end = await finished(gateway, name, command.id)

    assert (end.data.state, end.data.succeeded) == (BulkState.FINISHED, 2)
    assert await texts(asleep, 1) == ["Sale"]


async def test_rows_share_the_file_that_they_carry(gateway: Gateway, name: str) -> None:
    """It is uploaded to WhatsApp once; each recipient opens it."""
    phone, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    media = {
        "source": "upload",
        "media_id": await uploaded(gateway, name, "text/plain", b"menu"),
    }
    content = {"kind": "document", "media": media, "file_name": "menu.txt", "caption": "No {{n}}"}
    rows = [{"to": ada.number, "variables": {"n": str(number)}} for number in range(3)]
    command = bulk(gateway, name, content=content, rows=rows)

    await gateway.succeed(command)
    end = await finished(gateway, name, command.id)
    shown = [await ada.next_message(timeout=30) for _ in rows]

    assert end.data.succeeded == 3
    assert [await ada.media_bytes(message) for message in shown] == [b"menu"] * 3
    assert len({(await ada.media(message)).direct_path for message in shown}) == 1
