"""Which numbers are on WhatsApp: asked beside whatever else a session does."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway_contracts import (
    CheckedNumber,
    CommandSucceeded,
    ContactCheck,
    ContactCheckData,
    ContactsChecked,
    ErrorCode,
    SentInfo,
    SessionState,
    SessionStatus,
    SessionStop,
)
from gateway_worker.sandbox.service.fault_rules import (
    Delay,
    Drop,
    Effect,
    Error,
    Match,
    Point,
    Rule,
    Who,
)
from tests.e2e.harness import Gateway
from tests.support.eventually import eventually
from tests.support.spelled_numbers import spelled_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway_worker.sandbox.phones.phone import Phone

NOBODY = "12025559999"


def check(gateway: Gateway, name: str, *numbers: str) -> ContactCheck:
    """Return the command that asks about numbers."""
    data = ContactCheckData(numbers=numbers, max_age_seconds=0)
    return ContactCheck(source=gateway.backend.source, subject=name, data=data)


async def answers(gateway: Gateway, name: str, *numbers: str) -> tuple[CheckedNumber, ...]:
    """Ask about numbers and return the answers."""
    result = await gateway.succeed(check(gateway, name, *numbers))
    assert isinstance(result, ContactsChecked)
    return result.contacts


async def linked(gateway: Gateway, name: str) -> tuple[Phone, Phone]:
    """Link a session; returns its phone and somebody else's phone."""
    phone, other = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    return phone, other


@contextmanager
def fault(
    gateway: Gateway, phone: Phone, effect: Effect, *, point: Point = Point.IQ
) -> Iterator[str]:
    """Let something go wrong once for a session: of its queries, the next check of numbers."""
    match = Match(query="usync/contact") if point is Point.IQ else Match()
    rule = Rule(
        id=f"{point}-{phone.number}",
        point=point,
        who=Who(number=phone.number),
        match=match,
        effect=effect,
        times=1,
    )
    gateway.sandbox.service.faults.add(rule)
    yield rule.id
    gateway.sandbox.service.faults.remove(rule.id)


async def until_applied(gateway: Gateway, rule_id: str) -> None:
    """Return when a fault has happened."""

    def has_applied() -> bool:
        active = gateway.sandbox.service.faults.find(rule_id)
        return active is not None and active.applied == 1

    await eventually(has_applied, timeout_seconds=30)


async def test_each_number_is_answered(gateway: Gateway, name: str) -> None:
    """In the order of the question, in the spelling that WhatsApp has, and if nobody has it."""
    _phone, other = await linked(gateway, name)
    number = spelled_number("brazil", marked=False)
    brazil = await gateway.sandbox.add_phone(number.known)

    told = await answers(
        gateway, name, f"+{other.number}", number.other, NOBODY, f"+{other.number}"
    )

    there, renamed, missing, again = told
    assert there.model_dump(exclude_none=True) == {
        "number": f"+{other.number}",
        "on_whatsapp": True,
        "jid": f"{other.number}@s.whatsapp.net",
        "phone_number": f"+{other.number}",
        "age_seconds": 0,
        **({"lid": there.lid} if there.lid else {}),
    }
    assert again == there
    assert (renamed.number, renamed.jid) == (number.other, f"{brazil.number}@s.whatsapp.net")
    assert renamed.phone_number == f"+{brazil.number}"
    assert missing == CheckedNumber(number=NOBODY, on_whatsapp=False)
    # Whom the session has written to it knows by both ids, and so are they told.
    await gateway.send(name, other.number, "hello")
    (known,) = await answers(gateway, name, other.number)
    assert known.lid == str(other.jid.account)


async def test_too_many_questions(gateway: Gateway, name: str) -> None:
    """It is said when to ask again, and nothing is asked meanwhile."""
    phone, other = await linked(gateway, name)

    with fault(gateway, phone, Error(code=429)):
        failed = await gateway.fail(check(gateway, name, other.number))

    error = failed.data.error
    assert (error.code, error.retry_after_ms) == (ErrorCode.RATE_LIMITED, 30_000)
    assert (await answers(gateway, name, other.number))[0].on_whatsapp


async def test_an_answer_that_does_not_come(gateway: Gateway, name: str) -> None:
    """It is not waited for long; the connection stays, and what is asked next is answered."""
    phone, other = await linked(gateway, name)
    states = len(gateway.backend.events_of(name))

    with fault(gateway, phone, Drop()) as rule:
        asked = asyncio.create_task(gateway.fail(check(gateway, name, other.number)))
        await until_applied(gateway, rule)
        sent = await gateway.send(name, other.number, "meanwhile")
        failed = await asked

    assert isinstance(sent, SentInfo)
    assert failed.data.error.code is ErrorCode.UPSTREAM_TIMEOUT
    assert (await answers(gateway, name, other.number))[0].on_whatsapp
    since = gateway.backend.events_of(name)[states:]
    assert not [event for event in since if isinstance(event, SessionStatus)]


async def test_an_interrupted_question_is_asked_again(gateway: Gateway, name: str) -> None:
    """It has changed nothing, so the loss of its process is no reason to fail."""
    others = {host.pid for host in gateway.worker.hosts()}
    phone, other = await linked(gateway, name)
    seen = len(gateway.backend.events_of(name))
    (host,) = (host for host in gateway.worker.hosts() if host.pid not in others)

    with fault(gateway, phone, Drop()) as rule:
        asked = asyncio.create_task(answers(gateway, name, other.number))
        await until_applied(gateway, rule)
        host.kill()
        (answer,) = await asked

    assert answer.on_whatsapp
    assert [
        event.data.state
        for event in gateway.backend.events_of(name)[seen:]
        if isinstance(event, SessionStatus)
    ][-1] is SessionState.CONNECTED


async def test_a_question_during_a_send(gateway: Gateway, name: str) -> None:
    """While a send waits for its acknowledgement, questions are answered."""
    phone, other = await linked(gateway, name)
    await gateway.send(name, other.number, "first")  # so that the next one asks nothing

    with fault(gateway, phone, Delay(seconds=5), point=Point.ACK) as rule:
        sending = asyncio.create_task(gateway.send(name, other.number, "slow"))
        await until_applied(gateway, rule)
        for _ in range(3):
            assert (await answers(gateway, name, other.number))[0].on_whatsapp
        assert not sending.done()
        await sending


async def test_an_end_does_not_wait_for_a_question(gateway: Gateway, name: str) -> None:
    """A session that is stopped answers it, and at once."""
    phone, other = await linked(gateway, name)

    with fault(gateway, phone, Drop()) as rule:
        asked = asyncio.create_task(gateway.backend.request(check(gateway, name, other.number)))
        await until_applied(gateway, rule)
        await gateway.succeed(SessionStop(source=gateway.backend.source, subject=name))
        outcome = await asked

    assert not isinstance(outcome, CommandSucceeded)
    assert outcome.data.error.code is ErrorCode.SESSION_NOT_CONNECTED
