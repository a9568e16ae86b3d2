"""The supervisor's side of leases: who still uses the services, and what they may ask for."""

import asyncio
import contextlib
import json
from typing import Any

from gateway_worker.devkit.services.errors import ServicesError
from gateway_worker.devkit.services.running import RunningServices


class Leases:
    """Counts connections; each is a lease that ends with it.

    A client gets one line of JSON when the services are ready, `{"services": …, "sources": …}`, or
    `{"error": message}`. Then it may send requests, one line each, answered in order:
    `{"add_vhost": name}` → `{"amqp_url": url}`.
    """

    def __init__(self) -> None:
        self._outcome: asyncio.Future[RunningServices] = asyncio.Future()
        self._count = 0
        self._changed = asyncio.Condition()

    def succeed(self, services: RunningServices) -> None:
        """Tell all clients, present and future, where the services are."""
        self._outcome.set_result(services)

    def fail(self, error: ServicesError) -> None:
        """Tell all clients that there will be none."""
        self._outcome.set_exception(error)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it is gone."""
        await self._count_by(1)
        try:
            await self._serve(reader, writer)
        except (OSError, EOFError):
            pass  # gone without a word, which is how most leases end
        finally:
            writer.close()
            await self._count_by(-1)

    async def none_left(self, *, grace_seconds: float, first_within_seconds: float) -> None:
        """Return once there has been no lease for the grace time, or none came at all."""
        with contextlib.suppress(TimeoutError):
            await self._wait(lambda: self._count > 0, first_within_seconds)
        while True:
            await self._wait(lambda: self._count == 0, None)
            try:
                await self._wait(lambda: self._count > 0, grace_seconds)
            except TimeoutError:
                return

    async def _wait(self, condition: Any, timeout_seconds: float | None) -> None:
        async with asyncio.timeout(timeout_seconds), self._changed:
            await self._changed.wait_for(condition)

    async def _count_by(self, step: int) -> None:
        async with self._changed:
            self._count += step
            self._changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            services = await asyncio.shield(self._outcome)
        except ServicesError as error:
            await _send(writer, {"error": str(error)})
            return
        sources = {handle.name: handle.source.value for handle in services}
        await _send(writer, {"services": services.addresses.to_json(), "sources": sources})
        while line := await reader.readline():
            await _send(writer, await _answer(services, json.loads(line)))


async def _answer(services: RunningServices, request: dict[str, str]) -> dict[str, Any]:
    broker = services.rabbitmq
    try:
        match request:
            case {"add_vhost": name}:
                return {"amqp_url": await broker.add_vhost(name)}
            case _:
                return {"error": f"unknown request {sorted(request)}"}
    except ServicesError as error:
        return {"error": str(error)}


async def _send(writer: asyncio.StreamWriter, value: dict[str, Any]) -> None:
    writer.write(json.dumps(value).encode() + b"\n")
    await writer.drain()
