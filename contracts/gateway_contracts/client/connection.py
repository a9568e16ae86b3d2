"""A broker's channel that is opened anew whenever it is lost, with all that belongs to it.

aio-pika's own robust connection restores piece by piece what it remembers, and sometimes stops on
the way when the broker is killed; then nothing comes any more and nobody is told.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import aio_pika
import aio_pika.abc
import aio_pika.exceptions
from yarl import URL

from gateway_contracts.amqp_urls import single_urls

log = logging.getLogger(__name__)

_ATTEMPT_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.5
_LOOK_SECONDS: Final = 1.0
_REPLACED_AFTER_SECONDS: Final = 5.0

Prepare = Callable[[aio_pika.abc.AbstractChannel], Awaitable[None]]


class ReconnectingChannel:
    """One channel on a connection of its own; made by `ReconnectingChannel.open`.

    Args:
        amqp_url: Where the broker is; of several hosts, each is asked in turn.
        prepare: Called with each new channel; keeps it if it wants it.
    """

    def __init__(self, *, amqp_url: str, prepare: Prepare) -> None:
        urls = single_urls(amqp_url)
        self._hosts = len(urls)
        self._urls = itertools.cycle(urls)
        self._prepare = prepare
        self._opened_at = 0.0
        self._connection: aio_pika.abc.AbstractConnection | None = None
        self._channel: aio_pika.abc.AbstractChannel | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, amqp_url: str, *, prepare: Prepare) -> AsyncIterator["ReconnectingChannel"]:
        """Connect, and stay connected until the block is left.

        Raises what the last of the hosts was refused with if none of them takes us at first.
        """
        reconnecting = cls(amqp_url=amqp_url, prepare=prepare)
        try:
            await reconnecting._connect_to_any()
            task = asyncio.create_task(reconnecting._keep(), name="gateway-client-channel")
            try:
                yield reconnecting
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        finally:
            await reconnecting._close()

    async def refused(self) -> None:
        """Have another channel opened, unless this one is new: it refuses a message.

        So does a queue that is full. But so does a broker of several nodes, for as long as a
        channel lives, where the node is lost that led a queue when the channel was opened (RabbitMQ
        3.10): a new channel asks who leads by now.
        """
        age = asyncio.get_running_loop().time() - self._opened_at
        if self._channel is not None and age >= _REPLACED_AFTER_SECONDS:
            with suppress(Exception):  # it is given up, whatever state it is in
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._channel.close()

    async def _connect_to_any(self) -> None:
        for _ in range(self._hosts - 1):
            with suppress(OSError, aio_pika.exceptions.AMQPError):
                async with asyncio.timeout(_ATTEMPT_SECONDS):
                    return await self._connect()
        return await self._connect()

    async def _connect(self) -> None:
        await self._close()  # what an attempt that failed has left
        self._connection = connection = aio_pika.Connection(URL(next(self._urls)))
        await connection.connect()
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await self._prepare(channel)
        self._channel, self._opened_at = channel, asyncio.get_running_loop().time()

    async def _keep(self) -> None:
        while True:
            assert self._channel is not None
            while not self._channel.is_closed:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._channel.closed()
            await until_done(self._connect)

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it is given up, whatever state it is in
                async with asyncio.timeout(_LOOK_SECONDS):
                    await connection.close()
            # Again, which only marks it as closed: its finalizer would try it without a loop.
            await connection.close()


async def until_done(
    attempt: Callable[[], Awaitable[None]], *, unless: tuple[type[Exception], ...] = ()
) -> None:
    """Try until it succeeds or raises one of `unless`; what was done may be repeated.

    The AMQP library cancels what waits on a connection that it gives up, so a cancellation that
    nobody has asked this task for is a failure as well.
    """
    while True:
        try:
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                return await attempt()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        except unless:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it has to be done
            log.debug("trying again: %r", error)
        await asyncio.sleep(_PAUSE_SECONDS)
