"""The worker is restarted, politely and not: sessions come back without a new QR code."""

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    EditToSend,
    MessageReceived,
    MessageSend,
    MessageSendData,
    MessageTarget,
    ReplyTarget,
    SessionQr,
    SessionState,
    StatusReason,
    TextContent,
)
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.service.fault_rules import Delay, Point, Rule, Who
from tests.e2e.harness import ErrorCode, Gateway
from tests.support.eventually import eventually


async def test_a_restart_needs_no_new_qr(gateway: Gateway, name: str) -> None:
    """SIGTERM drains, the next start resumes, and the session sends again."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    after = len(gateway.backend.arrivals)

    await gateway.worker.stop()
    draining = await gateway.until(name, SessionState.RECONNECTING, after=after)
    await gateway.worker.start()
    await gateway.until(name, SessionState.CONNECTED, after=after)
    await gateway.send(name, ada.number, "back again")

    assert draining.data.reason is StatusReason.WORKER_DRAINING
    assert (await ada.next_message(timeout=30)).text == "back again"
    assert not [one for one in gateway.backend.arrivals[after:] if isinstance(one.event, SessionQr)]


async def test_a_killed_worker_comes_back_with_its_sessions(gateway: Gateway, name: str) -> None:
    """Kill -9 takes worker, zygote and hosts; nothing is asked of the user."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    after = len(gateway.backend.arrivals)

    await gateway.worker.kill()
    await ada.send_text(shop.number, "are you there?")
    await gateway.worker.start()

    await gateway.until(name, SessionState.CONNECTED, after=after)
    received = await gateway.backend.expect(MessageReceived, name, after=after)
    assert received.data.content == TextContent(text="are you there?")


async def test_commands_of_the_time_away_are_executed_after_the_start(
    gateway: Gateway, name: str
) -> None:
    """The broker keeps them, in order."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    await gateway.worker.stop()

    commands = [gateway.text(name, ada.number, f"{number}") for number in range(3)]
    for command in commands:
        await gateway.backend.publish(command)
    await gateway.worker.start()
    for command in commands:
        await gateway.backend.outcome(command.id)

    assert [(await ada.next_message(timeout=30)).text for _ in commands] == ["0", "1", "2"]


async def sending(gateway: Gateway, name: str) -> tuple[Phone, list[MessageSend]]:
    """Begin to send 40 texts; returns when the fourth has gone to the phone, with all of them."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    commands = [gateway.text(name, ada.number, f"{number}") for number in range(40)]
    for command in commands:
        await gateway.backend.publish(command)
    await gateway.backend.outcome(commands[3].id)
    return ada, commands


async def test_a_restart_in_the_middle_of_sending_neither_loses_nor_doubles(
    gateway: Gateway, name: str
) -> None:
    """SIGTERM while commands stream in: what has begun is finished, the rest waits, in order."""
    ada, commands = await sending(gateway, name)

    await gateway.worker.stop()
    await gateway.worker.start()
    outcomes = [await gateway.backend.outcome(command.id) for command in commands]

    assert all(isinstance(outcome, CommandSucceeded) for outcome in outcomes)
    texts = [(await ada.next_message(timeout=30)).text for _ in commands]
    assert texts == [f"{number}" for number in range(40)]


async def test_a_kill_in_the_middle_of_sending_doubles_nothing(gateway: Gateway, name: str) -> None:
    """Kill -9 while commands stream in: at most the one in the library's hands is uncertain."""
    ada, commands = await sending(gateway, name)

    await gateway.worker.kill()
    await gateway.worker.start()
    outcomes = [await gateway.backend.outcome(command.id) for command in commands]
    await gateway.send(name, ada.number, "the end")

    failed = [outcome for outcome in outcomes if isinstance(outcome, CommandFailed)]
    assert [outcome.data.error.code for outcome in failed] in ([], [ErrorCode.UNCERTAIN])
    texts: list[str] = []
    while not texts or texts[-1] != "the end":
        texts.append((await ada.next_message(timeout=30)).text)
    sent = [f"{n}" for n, outcome in enumerate(outcomes) if isinstance(outcome, CommandSucceeded)]
    assert len(texts) == len(set(texts))
    assert set(sent) <= set(texts)
    assert texts == [*sorted(texts[:-1], key=int), "the end"]


async def test_an_edit_whose_worker_dies_is_done_once(gateway: Gateway, name: str) -> None:
    """Its host finishes it and notes that: so it has succeeded, and the history has what it did."""
    shop = await gateway.sandbox.add_phone()
    ada = await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    ours = (await gateway.send(name, ada.number, "helo")).message_id
    faults = gateway.sandbox.service.faults
    late = Rule(
        id="late",
        point=Point.ACK,
        who=Who(number=shop.number),
        effect=Delay(seconds=2),
        times=1,
    )
    faults.add(late)
    edit = MessageSend(
        source=gateway.backend.source,
        subject=name,
        data=MessageSendData(
            to=ada.number, content=EditToSend(target=MessageTarget(message_id=ours), text="hello")
        ),
    )

    await gateway.backend.publish(edit)
    await eventually(lambda: (found := faults.find("late")) and found.applied, timeout_seconds=30)
    gateway.worker.process.kill()
    await eventually(lambda: not gateway.worker.is_running, timeout_seconds=30)
    await gateway.worker.start()
    outcome = await gateway.backend.outcome(edit.id)
    await gateway.send(name, ada.number, "and?", reply_to=ReplyTarget(message_id=ours))

    assert isinstance(outcome, CommandSucceeded), outcome
    texts, edited, reply = [await ada.next_message(timeout=30) for _ in range(3)]
    assert (texts.kind, edited.kind, edited.target_id) == ("text", "edit", ours)
    context = reply.content["extendedTextMessage"]["contextInfo"]
    assert context["quotedMessage"] == {"conversation": "hello"}
