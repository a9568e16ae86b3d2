"""Exports are written a few at a time, however many somebody asks for at once."""

import asyncio
from collections.abc import AsyncIterable, Sequence
from typing import Any, cast

import pytest

from gateway_worker.history import exporting
from gateway_worker.history.exporting import Exporter, ExportObjects
from gateway_worker.runtime.clock import SystemClock
from tests.support.eventually import eventually


class SlowObjects(ExportObjects):
    """Takes exports when the test says so.

    Attributes:
        taken: Set when they are.
        writing: Whose are being written.
        most: How many were at the same time.
    """

    def __init__(self) -> None:
        self.taken = asyncio.Event()
        self.writing: list[str] = []
        self.most = 0

    async def write(self, key: str, chunks: AsyncIterable[bytes], *, content_type: str) -> int:
        """Wait, and store nothing but the first line."""
        session_id = key.split("/")[1]
        self.writing.append(session_id)
        self.most = max(self.most, len(self.writing))
        await anext(aiter(chunks))
        await self.taken.wait()
        self.writing.remove(session_id)
        return len(content_type)

    async def presign_get(
        self, key: str, *, valid_seconds: int, file_name: str | None = None
    ) -> str:
        """Return something like a URL."""
        return f"https://files.example/{key}?{valid_seconds}{file_name or ''}"

    async def delete_prefix(self, prefix: str, *, before: Any = None) -> int:
        """Remove nothing."""
        raise AssertionError(prefix, before)


async def test_exports_take_turns_and_tenants_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """One place is left to whoever has none."""

    async def ids_of(*_of: object, **_where: object) -> Sequence[str]:
        return ("15550100002@s.whatsapp.net",)

    monkeypatch.setattr(exporting, "ids_of", ids_of)
    objects = SlowObjects()
    nothing = cast("Any", None)
    exporter = Exporter(
        history=nothing, store=nothing, rows=nothing, objects=objects, clock=SystemClock()
    )
    sessions = ("acme.a", "acme.b", "acme.c", "acme.d", "smith.a", "jones.a")
    async with asyncio.TaskGroup() as group:
        exports = [
            group.create_task(exporter.export(session, "+15550100002", directory=None))
            for session in sessions
        ]
        await eventually(lambda: objects.writing == ["acme.a", "acme.b", "smith.a"])
        objects.taken.set()

    assert [one.result().key.split("/")[1] for one in exports] == list(sessions)
    assert objects.most == 3
