"""Makes bulks out of rows, and changes how they stand.

The rows are stored first, under a name that nobody else uses (`load`), some thousand at a time; the
bulk that names them is committed with the outcome of its `bulk.create`. Whatever ends that command
before leaves rows that belong to nothing, which are deleted a day later: a run that was interrupted
loads them anew, and none is in two bulks.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from gateway_contracts import (
    BulkCheck,
    BulkCreate,
    BulkCreateData,
    BulkFault,
    BulkInfo,
    BulkResultFile,
    BulkState,
    FieldError,
    ObjectSource,
    new_id,
)
from gateway_worker.commands.deferrals import BulkFiles, Bulks, BulkStore, RowBody
from gateway_worker.commands.deferred.acceptance import FURTHEST
from gateway_worker.commands.deferred.bulk_feeder import BulkFeeder
from gateway_worker.commands.deferred.bulk_results import BulkResults
from gateway_worker.commands.deferred.rows import ReadRow, read_rows
from gateway_worker.commands.deferred.template import FaultyRowError, Template
from gateway_worker.commands.features import Feature, check_kind
from gateway_worker.errors import (
    FaultyRowsError,
    InvalidCommandError,
    MediaUnavailableError,
    SessionNotFoundError,
    UnsupportedError,
)
from gateway_worker.media.objects import may_read, uploads_of
from gateway_worker.media.places import SharedPlaces, owner_of
from gateway_worker.runtime.clock import Clock
from gateway_worker.sessions.changes import Change
from gateway_worker.sessions.deferred import Bulk, BulkUpdate
from gateway_worker.sessions.session.session import Session

LONGEST_ID: Final = 120
"""Of a bulk: those of its rows have to be ids, too."""
_TOLD: Final = 200
_REFUSED: Final = 20
_AT_ONCE: Final = 2_000
"""So many rows are written at a time."""
_TURN_SECONDS: Final = 0.02
"""So long rows are checked before others have their turn."""
_FILES_AT_ONCE: Final = 2
"""So many files are read at a time, one of each tenant: everything else has its turn after each of
them has had one, and each holds a batch of rows in memory."""
_BEFORE: Final = {
    BulkState.RUNNING: frozenset({BulkState.PAUSED}),
    BulkState.PAUSED: frozenset({BulkState.RUNNING}),
    BulkState.CANCELLING: frozenset({BulkState.RUNNING, BulkState.PAUSED}),
}
"""From where a backend's wish leads somewhere; otherwise it changes nothing."""


@dataclass(slots=True, kw_only=True)
class _Found:
    """What reading the rows has found.

    Attributes:
        rows: How many there are.
        faulty: How many of them cannot be sent.
        faults: What is wrong with the first of those.
    """

    rows: int = 0
    faulty: int = 0
    faults: list[BulkFault] = field(default_factory=list)

    def add(self, row: ReadRow, faults: Sequence[FieldError]) -> None:
        """Note a row that cannot be sent."""
        self.faulty += 1
        if len(self.faults) < _TOLD:
            self.faults += _told(row, faults)


class _Loading:
    """Stores rows beside what its caller does: one batch at a time.

    Args:
        store: Where to.
        session_id: Whose.
        load: Under which name.
    """

    def __init__(self, store: BulkStore, *, session_id: str, load: str) -> None:
        self._store = store
        self._session_id = session_id
        self._load = load
        self._task: asyncio.Task[None] | None = None

    async def put(self, rows: Sequence[RowBody]) -> None:
        """Begin to store rows, when the ones before are stored. Raises `DependencyError`."""
        await self.aclose()
        if not rows:
            return
        work = self._store.load(self._session_id, self._load, rows)
        self._task = asyncio.create_task(work, name="bulk:load")

    async def aclose(self) -> None:
        """Wait for the last ones. Raises `DependencyError`."""
        if self._task is not None:
            await self._task


class BulkCommands(Bulks):
    """What may be done about bulks.

    Args:
        store: Bulks and rows.
        feeder: Sends them.
        files: Files of rows; None if there can be none here.
        clock: The time.
        features: What is switched on.
        is_closed: Whether a session takes on nothing more: it is being deleted.
    """

    def __init__(
        self,
        *,
        store: BulkStore,
        feeder: BulkFeeder,
        files: BulkFiles | None,
        clock: Clock,
        features: frozenset[Feature],
        is_closed: Callable[[Session], bool],
    ) -> None:
        self._store = store
        self._feeder = feeder
        self._files = files
        self._results = BulkResults(store=store, files=files)
        self._clock = clock
        self._features = features
        self._is_closed = is_closed
        self._places = SharedPlaces(_FILES_AT_ONCE)

    async def create(self, session: Session, command: BulkCreate) -> Bulk | BulkCheck:
        """Store the rows of a bulk, or check them; see the port."""
        data = command.data
        self._check(command)
        template = Template(data.content)
        template.check()
        if data.dry_run:
            async with self._place(command):
                return await self._dry_run(command, template)
        load = new_id()
        async with self._place(command):
            found = await self._load(session, command, template, load)
        if found.faulty:
            raise FaultyRowsError(
                f"{found.faulty} of {found.rows} rows cannot be sent as they stand",
                faults=tuple(_in_command(data, fault) for fault in found.faults[:_REFUSED]),
            )
        if not found.rows:
            raise InvalidCommandError("there is no row in the file", pointer="/data/file")
        if self._is_closed(session):  # nothing is awaited from here until its commit is queued
            raise SessionNotFoundError("the session is being deleted")
        return Bulk(
            bulk_id=command.id,
            load=load,
            state=BulkState.RUNNING,
            rows=found.rows,
            options=_options(command),
            created_at=self._clock.now(),
            starts_at=data.scheduled_at,
        )

    def look_again(self) -> None:
        """Begin with a bulk that has just been committed."""
        self._feeder.look_again()

    async def change(self, session: Session, bulk_id: str, state: BulkState) -> Bulk:
        """Have a bulk run, paused or cancelling; see the port."""
        bulk = await self._find(session.session_id, bulk_id)
        if bulk.state in _BEFORE[state]:
            if state is not BulkState.RUNNING:
                self._feeder.hold(session.session_id, bulk_id)
            update = BulkUpdate(bulk_id=bulk_id, before=_BEFORE[state], state=state)
            await session.record(
                Change(session_id=session.session_id, epoch=session.epoch, bulk_update=update)
            )
            if state is not BulkState.PAUSED:
                self._feeder.release(session.session_id, bulk_id)
        return await self._find(session.session_id, bulk_id)

    async def info(self, session_id: str, bulk_id: str) -> BulkInfo:
        """Return how one stands; see the port."""
        bulk = await self._find(session_id, bulk_id)
        result: BulkResultFile | None = None
        if bulk.result_key is not None and self._files is not None:
            result = await self._files.told(bulk.result_key)
        return self.told(bulk).model_copy(update={"result": result})

    def told(self, bulk: Bulk) -> BulkInfo:
        """Return one as it is told."""
        return BulkInfo(
            bulk_id=bulk.bulk_id,
            state=bulk.state,
            reason=bulk.reason,
            rows=bulk.rows,
            succeeded=bulk.succeeded,
            failed=bulk.failed,
            uncertain=bulk.uncertain,
            cancelled=bulk.cancelled,
            created_at=bulk.created_at,
            starts_at=bulk.starts_at,
            finished_at=bulk.finished_at,
        )

    async def forget(
        self, session_id: str, command_ids: Sequence[str], *, numbers: Sequence[str]
    ) -> None:
        """Leave a person out of the results of bulks; see the port."""
        of_rows = (one.rpartition("/") for one in command_ids)
        for bulk_id in sorted({bulk_id for bulk_id, slash, _ in of_rows if slash}):
            bulk = await self._store.get(session_id, bulk_id)
            if bulk is not None and bulk.result_key is not None:
                await self._results.write(session_id, bulk, without=numbers)

    async def _find(self, session_id: str, bulk_id: str) -> Bulk:
        bulk = await self._store.get(session_id, bulk_id)
        if bulk is None:
            raise InvalidCommandError(
                "the session has no bulk of this id, or has it no more", pointer="/data/bulk_id"
            )
        return bulk

    def _check(self, command: BulkCreate) -> None:
        data = command.data
        if len(command.id) > LONGEST_ID:
            raise InvalidCommandError(
                f"the id of a bulk has at most {LONGEST_ID} characters", pointer="/id"
            )
        if data.scheduled_at is not None and data.scheduled_at > self._clock.now() + FURTHEST:
            raise InvalidCommandError(
                f"at most {FURTHEST.days} days ahead", pointer="/data/scheduled_at"
            )
        media = None if data.file is None else data.file.media
        if isinstance(media, ObjectSource) and not may_read(command.subject, media.key):
            raise MediaUnavailableError("there is no such object")
        if data.content is not None:
            check_kind(data.content.kind, self._features)

    def _place(self, command: BulkCreate) -> AbstractAsyncContextManager[None]:
        """Return what the rows of a bulk are read in: files are long, and take turns."""
        if command.data.file is None:
            return nullcontext()
        return self._places.place(owner_of(command.subject))

    async def _dry_run(self, command: BulkCreate, template: Template) -> BulkCheck:
        found = _Found()
        async with aclosing(self._read(command, template, found)) as pieces:
            async for _ in pieces:
                pass
        file: BulkResultFile | None = None
        if found.faulty > len({fault.row for fault in found.faults}) and self._files is not None:
            key = f"{uploads_of(command.subject)}{new_id()}"
            await self._files.write(key, self._fault_lines(command, template))
            file = await self._files.told(key)
        return BulkCheck(
            rows=found.rows, faulty=found.faulty, faults=tuple(found.faults[:_TOLD]), file=file
        )

    async def _load(
        self, session: Session, command: BulkCreate, template: Template, load: str
    ) -> _Found:
        """Store the rows, while the next ones are read; of those that are faulty none is sent."""
        found, batch = _Found(), list[RowBody]()
        loading = _Loading(self._store, session_id=session.session_id, load=load)
        async with aclosing(self._read(command, template, found)) as pieces, aclosing(loading):
            async for rows in pieces:
                if found.faulty:
                    batch = []  # it is only to be said what is wrong
                    continue
                batch += [RowBody(row=row.number, body=row.body) for row in rows]
                if len(batch) >= _AT_ONCE:
                    await loading.put(batch)
                    batch = []
            await loading.put(batch)
        return found

    async def _read(
        self, command: BulkCreate, template: Template, found: _Found
    ) -> AsyncGenerator[Sequence[ReadRow], None]:
        """Yield the rows that can be sent, and count the others."""
        async with aclosing(self._rows(command)) as pieces:
            async for rows in pieces:
                good = []
                async for row, faults in self._checked(rows, template):
                    if faults:
                        found.add(row, faults)
                    else:
                        good.append(row)
                found.rows += len(rows)
                yield good
                await asyncio.sleep(0)  # others have their turn

    async def _checked(
        self, rows: Iterable[ReadRow], template: Template
    ) -> AsyncGenerator[tuple[ReadRow, Sequence[FieldError]], None]:
        """Yield each row with what is wrong with it; others have their turn meanwhile."""
        began = time.monotonic()
        for row in rows:
            if time.monotonic() - began > _TURN_SECONDS:
                await asyncio.sleep(0)
                began = time.monotonic()
            yield row, self._faults_of(row, template)

    def _faults_of(self, row: ReadRow, template: Template) -> Sequence[FieldError]:
        if row.row is None:
            return row.faults
        try:
            content = template.fill(row.row)
            if row.row.content is not None:
                check_kind(content.kind, self._features)
        except FaultyRowError as error:
            return error.faults
        except UnsupportedError as error:
            return (FieldError(pointer="/content/kind", detail=error.detail),)
        return ()

    async def _rows(self, command: BulkCreate) -> AsyncGenerator[Sequence[ReadRow], None]:
        data = command.data
        if data.file is None:
            yield [
                ReadRow(
                    number=place + 1,
                    body=row.model_dump_json(exclude_none=True).encode(),
                    row=row,
                )
                for place, row in enumerate(data.rows)
            ]
            return
        if self._files is None:
            raise UnsupportedError("this gateway reads no files")
        async with (
            aclosing(self._files.read(command.subject, data.file.media)) as chunks,
            aclosing(read_rows(chunks, data.file.format)) as pieces,
        ):
            async for rows in pieces:
                yield rows

    async def _fault_lines(self, command: BulkCreate, template: Template) -> AsyncIterator[bytes]:
        async for rows in self._rows(command):
            yield b"".join(
                [
                    orjson.dumps(fault.model_dump()) + b"\n"
                    async for row, faults in self._checked(rows, template)
                    for fault in _told(row, faults)
                ]
            )
            await asyncio.sleep(0)


def _told(row: ReadRow, faults: Sequence[FieldError]) -> list[BulkFault]:
    return [
        BulkFault(row=row.number, pointer=fault.pointer, detail=fault.detail) for fault in faults
    ]


def _in_command(data: BulkCreateData, fault: BulkFault) -> FieldError:
    """Return a row's fault by its place in the command; of a file, only the file is there."""
    if data.file is None:
        pointer = f"/data/rows/{fault.row - 1}{fault.pointer}"
        return FieldError(pointer=pointer, detail=fault.detail)
    place = f"row {fault.row}, {fault.pointer}" if fault.pointer else f"row {fault.row}"
    detail = f"{place}: {fault.detail}"
    return FieldError(pointer="/data/file", detail=detail)


def _options(command: BulkCreate) -> dict[str, Any]:
    """Return what the rows of a bulk have in common."""
    content = command.data.content
    return {
        "source": command.source,
        "tenantid": command.tenantid,
        "traceparent": command.traceparent,
        "content": content and content.model_dump(mode="json", exclude_none=True),
        "stop": command.data.stop.model_dump(),
        "check_contacts": command.data.check_contacts,
    }
