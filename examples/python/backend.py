"""A backend of the WhatsApp gateway in plain aio-pika: it answers whoever writes.

    pip install -r requirements.txt
    AMQP_URL=amqp://user:password@host/vhost python backend.py [--declare] [SESSION NUMBER TEXT]

With a session, a number and a text it sends that first. Each line that it prints is JSON.
It shows what the contract (contracts/README.md) asks of a backend:

- a command is published with `mandatory` and a confirm, and again under the same id until it is;
- the id of an answer is made from the id of the event that it answers, so an event that comes
  twice, also after a crash, is answered once;
- an event is acknowledged when it was handled; those of a session come in order, and a repeat is
  told by its `sequence`;
- a type that it does not know is acknowledged and forgotten.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

SERVICE = "example-python"
PREFIX = os.environ.get("AMQP_PREFIX", "wa")
BASE = f"{PREFIX}.backend.{SERVICE}"
WANTED = ("message.received.*", "message.receipt.*", "command.*.*", "session.status.*")
PAUSE_SECONDS = 1.0
CONFIRM_SECONDS = 30.0

Json = dict[str, Any]


def command(kind: str, session: str, data: Json, *, command_id: str | None = None) -> Json:
    """Return a command; who repeats one must keep its id."""
    return {
        "specversion": "1.0",
        "id": command_id or str(uuid.uuid4()),
        "source": f"/backends/{SERVICE}",
        "type": f"wa.{kind}.v1",
        "subject": session,
        "time": datetime.now(UTC).isoformat(),
        "data": data,
    }


def answer_to(event: Json) -> Json | None:
    """Return the command that answers an incoming text, or None for anything else."""
    data = event["data"]
    if event["type"] != "wa.message.received.v1" or data["content"]["kind"] != "text":
        return None
    content = {"kind": "text", "text": f"You wrote: {data['content']['text']}"}
    reply = {"to": data["chat"], "content": content, "reply_to": {"message_id": data["message_id"]}}
    if data["is_group"]:
        return None
    return command("message.send", event["subject"], reply, command_id=f"answer-{event['id']}")


class Backend:
    """Reads events and publishes commands, over one connection after the other."""

    def __init__(self, *, declares: bool, first: Json | None) -> None:
        self._declares = declares
        self._first = first
        self._positions: dict[str, str] = {}  # a real backend keeps these with its own data

    async def run(self, amqp_url: str) -> None:
        """Go on until cancelled; a connection that is lost is opened anew."""
        while True:
            try:
                await self._connected(amqp_url)
            except (AMQPError, ChannelInvalidStateError, OSError) as error:
                tell({"trouble": type(error).__name__})
            except asyncio.CancelledError:  # the library cancels what waits on a lost connection
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
            await asyncio.sleep(PAUSE_SECONDS)

    async def _connected(self, amqp_url: str) -> None:
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            await channel.set_qos(prefetch_count=100)
            queue = await (declared(channel) if self._declares else made_by_operator(channel))
            commands = await channel.get_exchange(f"{PREFIX}.commands", ensure=False)
            async with queue.iterator() as messages:
                tell({"connected": queue.name})
                if self._first is not None:
                    await publish(commands, self._first)
                    self._first = None
                async for message in messages:
                    await self._handle(message, commands)

    async def _handle(self, message: AbstractIncomingMessage, commands: AbstractExchange) -> None:
        """Handle an event once; what raises leaves it unacknowledged, and so it comes again."""
        event = json.loads(message.body)
        session, position = event["subject"], event.get("sequence", "")  # digits that sort as text
        if not position or position > self._positions.get(session, ""):
            tell(summary(event))
            answer = answer_to(event)
            if answer is not None:
                await publish(commands, answer)
            if position:
                self._positions[session] = position
        await message.ack()


async def publish(commands: AbstractExchange, body: Json) -> None:
    """Publish a command; raises unless the broker confirms it and has a queue for it."""
    message = aio_pika.Message(
        json.dumps(body).encode(),
        message_id=body["id"],
        type=body["type"],
        app_id=body["source"],
        content_type="application/cloudevents+json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
    await commands.publish(message, body["subject"], mandatory=True, timeout=CONFIRM_SECONDS)


async def made_by_operator(channel: AbstractChannel) -> AbstractQueue:
    """Return the queue that `gateway-worker ctl broker add-backend` has made."""
    return await channel.get_queue(f"{BASE}.events", ensure=False)


async def declared(channel: AbstractChannel) -> AbstractQueue:
    """Declare and bind the same queue, which takes more rights than most backends have."""
    dead = f"{BASE}.dead"
    kept = {
        "x-queue-type": "quorum",
        "x-delivery-limit": 20,
        "x-overflow": "drop-head",
        "x-max-length": 1_000_000,
        "x-max-length-bytes": 2_147_483_648,
    }
    await channel.declare_exchange(dead, "fanout", durable=True)
    dead_queue = await channel.declare_queue(dead, durable=True, arguments=kept)
    await dead_queue.bind(dead)
    own = {"x-dead-letter-exchange": dead, "x-single-active-consumer": True}
    queue = await channel.declare_queue(f"{BASE}.events", durable=True, arguments=kept | own)
    for pattern in WANTED:
        await queue.bind(f"{PREFIX}.events", pattern)
    return queue


def summary(event: Json) -> Json:
    """Return what is printed of an event: no texts and no numbers."""
    data = event["data"]
    told = {
        "event": event["type"],
        "session": event["subject"],
        "command": event.get("correlationid"),
        "state": data.get("state") or data.get("status"),
        "error": data.get("error", {}).get("code"),
    }
    return {name: value for name, value in told.items() if value is not None}


def tell(line: Json) -> None:
    """Print a line."""
    print(json.dumps(line), flush=True)


async def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="Answers whoever writes to a session.")
    parser.add_argument("--declare", action="store_true", help="declare the queue of events")
    parser.add_argument("first", nargs="*", metavar="SESSION NUMBER TEXT", help="to send first")
    options = parser.parse_args()
    if len(options.first) not in {0, 3}:
        parser.error("SESSION, NUMBER and TEXT go together")
    first = None
    if options.first:
        session, number, text = options.first
        content = {"kind": "text", "text": text}
        first = command("message.send", session, {"to": number, "content": content})
    backend = Backend(declares=options.declare, first=first)
    running = asyncio.ensure_future(backend.run(os.environ["AMQP_URL"]))
    for which in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(which, running.cancel)
    with suppress(asyncio.CancelledError):
        await running


if __name__ == "__main__":
    if "AMQP_URL" not in os.environ:
        sys.exit("say in AMQP_URL where the broker is")
    asyncio.run(main())
