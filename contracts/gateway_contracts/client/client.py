"""The client."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import aio_pika
import aio_pika.abc
import aio_pika.exceptions
from aiormq.exceptions import ChannelAccessRefused
from pydantic import BaseModel, ValidationError
from yarl import URL

from gateway_contracts.amqp_urls import single_urls
from gateway_contracts.client.connection import ReconnectingChannel, until_done
from gateway_contracts.client.errors import (
    AccessRefusedError,
    BrokerUnreachableError,
    ClientError,
    CommandFailedError,
    NoOutcomeError,
    NotPublishedError,
)
from gateway_contracts.client.order import EventOrder
from gateway_contracts.client.outcomes import Answer, Outcomes
from gateway_contracts.client.queues import Queues
from gateway_contracts.client.received import ReceivedEvent, UnknownEvent
from gateway_contracts.client.upload import media_type_of, put_file, size_and_digest
from gateway_contracts.codec import encode, parse_known_event
from gateway_contracts.commands.upload import MediaUpload, MediaUploadUrl, MediaUploadUrlData
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.events import Event
from gateway_contracts.events.outcome import CommandFailed, CommandScheduled, CommandSucceeded
from gateway_contracts.properties import properties_for
from gateway_contracts.topology import Topology

log = logging.getLogger(__name__)

Wanted = TypeVar("Wanted", bound=BaseModel)

PUBLISH_SECONDS: Final = 90.0
OUTCOME_SECONDS: Final = 30.0
UPLOAD_SECONDS: Final = 120.0
_ATTEMPT_SECONDS: Final = 30.0
_PREFETCH: Final = 512
_REFUSED: Final = (
    ChannelAccessRefused,
    aio_pika.exceptions.ChannelNotFoundEntity,
    aio_pika.exceptions.ChannelPreconditionFailed,
)
_LOST: Final = (
    aio_pika.exceptions.AMQPError,
    aio_pika.exceptions.ChannelInvalidStateError,
    ConnectionError,
)
_UNREACHABLE: Final = (aio_pika.exceptions.AMQPError, ConnectionError, OSError, TimeoutError)


@dataclass(slots=True, kw_only=True)
class _Unhandled:
    """An event that was not handled yet.

    Attributes:
        event: The event; one of a type that is not known here is passed over in its turn.
        message: What it came with, on the newest channel.
        reader: Stands for that channel.
    """

    event: Event | UnknownEvent
    message: aio_pika.abc.AbstractIncomingMessage
    reader: object


class GatewayClient:
    """A backend's connection to the gateway; made by `GatewayClient.open`.

    It stays connected: commands are published again until the broker has confirmed them, and what
    was not handled comes again and is handed on once.
    """

    def __init__(
        self,
        *,
        queues: Queues,
        topology: Topology,
        order: EventOrder,
        reads_events: bool,
        user: str | None,
        token: Callable[[], str] | None = None,
    ) -> None:
        self.source = f"/backends/{queues.service}"
        self.order = order
        self._queues = queues
        self._topology = topology
        self._reads_events = reads_events
        self._user = user
        self._token = token
        self._outcomes = Outcomes()
        self._unhandled: dict[str, _Unhandled] = {}
        self._arrivals: asyncio.Queue[_Unhandled] = asyncio.Queue()
        self._commands: aio_pika.abc.AbstractExchange | None = None
        self._writing: ReconnectingChannel | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        amqp_url: str,
        *,
        queues: Queues,
        topology: Topology | None = None,
        order: EventOrder | None = None,
        reads_events: bool = True,
        token: Callable[[], str] | None = None,
    ) -> AsyncIterator["GatewayClient"]:
        """Connect and start to read; stay connected until the block is left.

        Args:
            amqp_url: The broker, with credentials and virtual host.
            queues: What is read: `OwnQueues` for a service, `TemporaryQueue` for a tool.
            topology: The names that the workers use.
            order: What an earlier run has handled.
            reads_events: Whether events are for `events()`. Otherwise only outcomes are looked at,
                and everything else that comes is acknowledged and forgotten.
            token: Returns the token (JWT) that goes with a command, where tenants are told apart by
                tokens; called for each.

        Raises:
            BrokerUnreachableError: The broker cannot be reached now, or refuses the login.
            AccessRefusedError: A queue is not there, or is not for this user.
        """
        client = cls(
            queues=queues,
            topology=topology or Topology(),
            order=order or EventOrder(),
            reads_events=reads_events,
            user=URL(single_urls(amqp_url)[0]).user,
            token=token,
        )
        async with AsyncExitStack() as stack:
            try:
                for prepare in (client._start_to_read, client._start_to_write):
                    client._writing = await stack.enter_async_context(
                        ReconnectingChannel.open(amqp_url, prepare=prepare)
                    )
            except _REFUSED as error:
                raise AccessRefusedError(f"the broker refuses: {error}") from error
            except _UNREACHABLE as error:
                raise BrokerUnreachableError(
                    f"the broker cannot be used: {type(error).__name__}"
                ) from error
            yield client

    async def publish(
        self,
        command: CommandEnvelope,
        *,
        seconds: float = PUBLISH_SECONDS,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        """Publish a command; returns when the broker has confirmed it.

        It is published again, under the same id, while the connection is lost or the queue is full.

        Raises:
            NotPublishedError: The broker has not confirmed it in time; it may have it.
            AccessRefusedError: There is no such exchange, or it is not for this user.
        """
        properties = properties_for(command)
        message = aio_pika.Message(
            encode(command),
            message_id=properties.message_id,
            type=properties.type,
            timestamp=properties.timestamp,
            app_id=properties.app_id,
            content_type=properties.content_type,
            delivery_mode=properties.delivery_mode,
            user_id=self._user,  # which the broker compares with who is logged in
            headers={**properties.headers, **self._authorization(), **(headers or {})},
        )

        async def attempt() -> None:
            assert self._commands is not None
            assert self._writing is not None
            try:
                await self._commands.publish(
                    message, routing_key=command.subject, mandatory=True, timeout=_ATTEMPT_SECONDS
                )
            except aio_pika.exceptions.PublishError:  # no queue is bound
                raise
            except aio_pika.exceptions.DeliveryError:
                await self._writing.refused()
                raise

        try:
            async with asyncio.timeout(seconds):
                await until_done(attempt, unless=_REFUSED)
        except _REFUSED as error:
            raise AccessRefusedError(f"the broker refuses commands: {error}") from error
        except TimeoutError:
            raise NotPublishedError(
                f"the broker has not confirmed command {command.id} within {seconds:g} s"
            ) from None

    def _authorization(self) -> Mapping[str, str]:
        return {} if self._token is None else {"authorization": f"Bearer {self._token()}"}

    async def request(
        self, command: CommandEnvelope, *, seconds: float = OUTCOME_SECONDS
    ) -> CommandSucceeded | CommandScheduled:
        """Publish a command and return what it is answered with.

        Raises:
            CommandFailedError: It has failed; the error says why, and whether a repeat can help.
            NoOutcomeError: No answer has come in time, counted from the broker's confirmation.
            ClientError: It was not published.
        """
        with self._outcomes.of(command.id) as answers:
            await self.publish(command)
            return _good(await _next(answers, command.id, seconds))

    async def outcome(
        self, command: CommandEnvelope, *, seconds: float = OUTCOME_SECONDS
    ) -> CommandSucceeded:
        """Publish a command and return its outcome, also of one that is scheduled.

        Raises:
            CommandFailedError: It has failed.
            NoOutcomeError: No outcome has come in time.
            ClientError: It was not published.
        """
        with self._outcomes.of(command.id) as answers:
            await self.publish(command)
            while True:
                answer = _good(await _next(answers, command.id, seconds))
                if isinstance(answer, CommandSucceeded):
                    return answer

    async def ask(
        self, command: CommandEnvelope, wanted: type[Wanted], *, seconds: float = OUTCOME_SECONDS
    ) -> Wanted:
        """Publish a command and return its result, which is of the class that is wanted.

        Raises:
            CommandFailedError: It has failed.
            NoOutcomeError: No outcome has come in time.
            ClientError: It was not published, or has another kind of result.
        """
        outcome = await self.outcome(command, seconds=seconds)
        result = outcome.data.result
        if not isinstance(result, wanted):
            raise ClientError(f"{command.type} has returned a {type(result).__name__}")
        return result

    async def upload(
        self,
        session: str,
        path: Path,
        *,
        mime_type: str | None = None,
        seconds: float = UPLOAD_SECONDS,
    ) -> str:
        """Put a file into the gateway's bucket; returns the `media_id` that it is sent under.

        Raises:
            OSError: The file cannot be read.
            UploadError: The store has not taken it.
            ClientError: The gateway has made no room for it.
        """
        size, sha256 = await asyncio.to_thread(size_and_digest, path)
        described = MediaUploadUrlData(
            mime_type=mime_type or media_type_of(path), size=size, sha256=sha256
        )
        command = MediaUploadUrl(source=self.source, subject=session, data=described)
        place = await self.ask(command, MediaUpload)
        await asyncio.to_thread(put_file, place, path, seconds=seconds)
        return place.media_id

    async def events(self) -> AsyncIterator[ReceivedEvent]:
        """Yield new events, those of a session in order; goes on for good.

        An event counts as handled, and is acknowledged, when the next one is asked for. Whoever
        leaves the loop before, or loses the connection, gets it again from a queue that lasts.
        Await no outcome within the loop but in a task of its own: it might stand behind more events
        than the broker sends ahead.
        """
        while True:
            unhandled = await self._arrivals.get()
            event, message = unhandled.event, unhandled.message
            if not isinstance(event, UnknownEvent):
                yield ReceivedEvent(
                    event=event,
                    routing_key=message.routing_key or "",
                    body=message.body,
                    missing=self.order.missing_before(event),
                )
            self.order.handled(event)
            del self._unhandled[event.id]
            await _acknowledge(unhandled.message)

    async def _start_to_write(self, channel: aio_pika.abc.AbstractChannel) -> None:
        self._commands = await channel.get_exchange(self._topology.commands, ensure=False)

    async def _start_to_read(self, channel: aio_pika.abc.AbstractChannel) -> None:
        await channel.set_qos(prefetch_count=_PREFETCH)
        on_message = partial(self._on_message, reader=object())
        await self._queues.consume(channel, self._topology, on_message)

    async def _on_message(
        self, message: aio_pika.abc.AbstractIncomingMessage, *, reader: object
    ) -> None:
        try:
            event = _event_in(message.body)
        except ValidationError:
            log.warning("what came with the key %r is no event", message.routing_key)
            with suppress(*_LOST):
                await message.reject(requeue=False)
            return
        if not isinstance(event, UnknownEvent):
            self._outcomes.tell(event)
        if not self._reads_events or self.order.is_repeat(event):
            await _acknowledge(message)
        elif (waiting := self._unhandled.get(event.id)) is None:
            unhandled = _Unhandled(event=event, message=message, reader=reader)
            self._unhandled[event.id] = unhandled
            self._arrivals.put_nowait(unhandled)
        elif waiting.reader is reader:
            await _acknowledge(message)  # the workers have published it twice
        else:
            waiting.message, waiting.reader = message, reader  # the connection was lost meanwhile


def _event_in(body: bytes) -> Event | UnknownEvent:
    """Read an event. Raises `ValidationError` if it is none."""
    event = parse_known_event(body)
    return UnknownEvent.model_validate_json(body) if event is None else event


async def _next(answers: "asyncio.Queue[Answer]", command_id: str, seconds: float) -> Answer:
    try:
        async with asyncio.timeout(seconds):
            return await answers.get()
    except TimeoutError:
        raise NoOutcomeError(command_id, seconds) from None


def _good(answer: Answer) -> CommandSucceeded | CommandScheduled:
    if isinstance(answer, CommandFailed):
        raise CommandFailedError(answer)
    return answer


async def _acknowledge(message: aio_pika.abc.AbstractIncomingMessage) -> None:
    """Acknowledge a message, unless its channel is lost: then it comes again.

    The AMQP library cancels what waits on a connection that it gives up, so a cancellation that
    nobody has asked this task for means just that.
    """
    try:
        await message.ack()
    except _LOST:
        pass
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
