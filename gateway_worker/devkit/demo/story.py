"""The conversation: a shop's account is linked, writes to a customer, and the customer answers."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from gateway_contracts import (
    CommandEnvelope,
    CommandSucceeded,
    MessageReceipt,
    MessageReceived,
    MessageSend,
    MessageSendData,
    ReceiptStatus,
    ReplyTarget,
    SentInfo,
    SessionCreate,
    SessionCreateData,
    SessionDelete,
    SessionQr,
    SessionState,
    SessionStatus,
    TextContent,
    TextToSend,
)
from gateway_worker.devkit.demo.harness import DemoHarness
from gateway_worker.devkit.demo.terminal import Terminal, Timing
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.phones.values import ChatMessage

SHOP = "12025550100"
CUSTOMER = "12025550101"


class StoryError(Exception):
    """Something did not happen as it should have."""


class Story:
    """Plays the conversation and keeps the times.

    Attributes:
        timings: One row per step, in order.
        memory_mib: What the session adds to the worker's memory: its process's private pages,
            measured after the conversation. The rest it shares with all others.
    """

    def __init__(self, *, harness: DemoHarness, terminal: Terminal) -> None:
        self._harness = harness
        self._terminal = terminal
        self._backend = harness.backend
        self._session = harness.name
        self.timings: list[Timing] = []
        self.memory_mib = 0.0

    async def play(self, *, delete: bool) -> None:
        """Play all of it.

        Raises:
            StoryError: A step had another end than it should.
            TimeoutError: A step had no end.
        """
        self._backend.on_arrival(lambda arrival: self._terminal.event(arrival.event))
        shop = await self._harness.sandbox.add_phone(SHOP, push_name="Corner Shop")
        customer = await self._harness.sandbox.add_phone(CUSTOMER, push_name="Ada")
        await self._link(shop)
        shown = await self._write(customer)
        await self._answer(customer, shown)
        await self._survive_a_restart(customer)
        self._measure()
        if delete:
            await self._delete(shop)
        self._check_egress()

    async def _link(self, shop: Phone) -> None:
        self._terminal.step("The backend creates a session; its QR code comes as an event")
        async with self._timed("session.create → QR code"):
            await self._run(
                SessionCreate(
                    source=self._backend.source,
                    subject=self._session,
                    data=SessionCreateData(device_name="Corner Shop"),
                ),
                "link an account by QR",
            )
            qr = await self._backend.expect(SessionQr, self._session)
        self._terminal.qr(qr.data.code)
        self._terminal.step("The shop's phone scans it")
        async with self._timed("scan → connected"):
            await shop.scan(qr.data.code)
            await self._backend.expect(
                SessionStatus,
                self._session,
                lambda event: event.data.state is SessionState.CONNECTED,
            )

    async def _write(self, customer: Phone) -> ChatMessage:
        self._terminal.step("The backend writes to a customer")
        async with self._timed("message.send → taken by WhatsApp"):
            sent = await self._send("Hello Ada, your order is ready.")
        async with self._timed("message.send → delivered"):
            await self._receipt(sent.message_id, ReceiptStatus.DELIVERED)
        message = await customer.next_message(timeout=10)
        if message.text != "Hello Ada, your order is ready.":
            raise StoryError("the customer's phone shows another text")
        self._terminal.step("The customer reads it")
        async with self._timed("read on the phone → read receipt"):
            await customer.read(message)
            await self._receipt(sent.message_id, ReceiptStatus.READ)
        return message

    async def _answer(self, customer: Phone, message: ChatMessage) -> None:
        self._terminal.step("The customer replies, and the backend answers the reply")
        async with self._timed("sent on the phone → message.received"):
            await customer.send_text(SHOP, "Great, I will come at five!", reply_to=message)
            reply = await self._backend.expect(MessageReceived, self._session)
        if reply.data.reply_to is None or reply.data.reply_to.message_id != message.message_id:
            raise StoryError("the reply does not quote the message that it answers")
        if not isinstance(reply.data.content, TextContent):
            raise StoryError("the reply is not a text")
        await self._send("See you then.", reply_to=ReplyTarget(message_id=reply.data.message_id))
        answer = await customer.next_message(timeout=10)
        if answer.quoted_id != reply.data.message_id:
            raise StoryError("the answer does not quote the customer's message")

    async def _survive_a_restart(self, customer: Phone) -> None:
        self._terminal.step("The worker is restarted: no new QR code, nothing lost")
        already = len(self._backend.arrivals)
        await self._harness.worker.stop()
        await customer.send_text(SHOP, "Are you still open?")
        async with self._timed("worker start → connected"):
            await self._harness.worker.start()
            await self._backend.expect(
                SessionStatus,
                self._session,
                lambda event: event.data.state is SessionState.CONNECTED,
                after=already,
            )
        await self._backend.expect(MessageReceived, self._session, after=already)
        if any(isinstance(one.event, SessionQr) for one in self._backend.arrivals[already:]):
            raise StoryError("the session asked for a new QR code")

    async def _delete(self, shop: Phone) -> None:
        self._terminal.step(
            "The backend deletes the session: the device is unlinked, no trace left"
        )
        async with self._timed("session.delete"):
            await self._run(
                SessionDelete(source=self._backend.source, subject=self._session),
                "unlink and forget",
            )
        if shop.companions:
            raise StoryError("the phone still shows the gateway as a linked device")

    def _measure(self) -> None:
        hosts = self._harness.worker.hosts()
        if len(hosts) != 1:
            raise StoryError(f"one session should have one host, there are {len(hosts)}")
        try:
            self.memory_mib = hosts[0].memory_full_info().uss / 2**20
        except psutil.AccessDenied:  # nobody but root may look into a host
            self.memory_mib = hosts[0].memory_info().rss / 2**20

    def _check_egress(self) -> None:
        attempts = self._harness.sandbox.egress_attempts
        if attempts:
            raise StoryError(f"{len(attempts)} connections tried to leave this machine")

    async def _send(self, text: str, *, reply_to: ReplyTarget | None = None) -> SentInfo:
        outcome = await self._run(
            MessageSend(
                source=self._backend.source,
                subject=self._session,
                data=MessageSendData(
                    to=f"+{CUSTOMER}", content=TextToSend(text=text), reply_to=reply_to
                ),
            ),
            f"“{text}”",
        )
        if not isinstance(outcome.data.result, SentInfo):
            raise StoryError("message.send has another result than a message")
        return outcome.data.result

    async def _receipt(self, message_id: str, status: ReceiptStatus) -> None:
        await self._backend.expect(
            MessageReceipt,
            self._session,
            lambda event: event.data.message_id == message_id and event.data.status is status,
        )

    async def _run(self, command: CommandEnvelope, what: str) -> CommandSucceeded:
        self._terminal.command(command, what)
        outcome = await self._backend.request(command)
        if not isinstance(outcome, CommandSucceeded):
            raise StoryError(f"{command.type} failed: {outcome.data.error.code}")
        return outcome

    @asynccontextmanager
    async def _timed(self, step: str) -> AsyncIterator[None]:
        started = time.monotonic()
        yield
        self.timings.append(Timing(step=step, milliseconds=(time.monotonic() - started) * 1000))
