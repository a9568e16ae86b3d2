"""A live view of workers and sessions, from heartbeats and `session.list`."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import typer

from gateway_contracts import SessionState, WorkerHeartbeat
from gateway_contracts.client import ClientError, GatewayClient
from gateway_contracts.events.worker import WorkerLoad
from gateway_worker.ctl.asking import Question, pages
from gateway_worker.ctl.output import as_json as json_text
from gateway_worker.ctl.output import plain, say, table
from gateway_worker.ctl.showing import Item, session_row, shown
from gateway_worker.ctl.speaking import fleet_of, outcomes_of, source_of, speak

_ASKED_EVERY_SECONDS: Final = 2.0
_GONE_AFTER_SECONDS: Final = 60.0
_MIB: Final = 1024 * 1024
_OTHERS: Final = [state for state in SessionState if state is not SessionState.CONNECTED]


@dataclass(slots=True, kw_only=True)
class View:
    """What is known now.

    Attributes:
        workers: What each worker has said last, and when.
        sessions: Those that are shown.
        trouble: Why the sessions are not as they are now.
    """

    workers: dict[str, tuple[WorkerLoad, float]] = field(default_factory=dict)
    sessions: list[Item] = field(default_factory=list)
    trouble: str | None = None

    def heard(self, load: WorkerLoad, at: float) -> None:
        """Take note of what a worker says, and forget those that say nothing any more."""
        self.workers[load.worker] = (load, at)
        self.workers = {
            worker: (said, when)
            for worker, (said, when) in self.workers.items()
            if at - when < _GONE_AFTER_SECONDS
        }

    def worker_rows(self, now: float) -> list[dict[str, object]]:
        """Return the workers as rows."""
        return [_worker_row(load, now - at) for _, (load, at) in sorted(self.workers.items())]

    def session_rows(self) -> list[dict[str, object]]:
        """Return the sessions as rows."""
        return [
            {name: shown(value) for name, value in session_row(item).items() if name != "labels"}
            for item in self.sessions
        ]


def _worker_row(load: WorkerLoad, age: float) -> dict[str, object]:
    return {
        "worker": load.worker,
        "heard": f"{age:.0f} s ago",
        "sessions": sum(load.sessions.values()),
        "connected": load.sessions.get(SessionState.CONNECTED, 0),
        "capacity": load.capacity,
        "cpu": f"{load.cpu_percent:.0f} %",
        "memory": f"{load.memory_bytes / _MIB:,.0f} MiB",
        "queue": shown(load.queue_depth),
        "outbox": load.outbox_depth,
        "commands/s": f"{load.commands_per_second:.1f}",
        "events/s": f"{load.events_per_second:.1f}",
        "version": load.version,
    }


def watch(
    context: typer.Context, *, once: bool, seconds: float, limit: int, as_json: bool
) -> NoReturn:
    """Show it until Ctrl-C, or once, and end the program."""
    source, fleet = source_of(context), fleet_of(context)

    async def work(client: GatewayClient) -> int:
        view = View()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_hear(client, view)),
                group.create_task(_ask(client, view, fleet, limit=limit, source=source)),
            ]
            await (asyncio.sleep(seconds) if once else _draw(view))
            for task in tasks:
                task.cancel()
        _print(view, as_json=as_json)
        return 0

    patterns = (outcomes_of(fleet),)
    speak(context, work, patterns=patterns, heartbeats=True, reads_events=True, json=as_json)


async def _hear(client: GatewayClient, view: View) -> None:
    async for received in client.events():
        if isinstance(received.event, WorkerHeartbeat):
            view.heard(received.event.data, time.monotonic())


async def _ask(client: GatewayClient, view: View, fleet: str, *, limit: int, source: str) -> None:
    while True:
        try:
            view.sessions = await _sessions(client, fleet, limit=limit, source=source)
            view.trouble = None
        except ClientError as error:
            view.trouble = str(error)
        await asyncio.sleep(_ASKED_EVERY_SECONDS)


async def _sessions(client: GatewayClient, fleet: str, *, limit: int, source: str) -> list[Item]:
    """Return first those that are not connected."""
    found: list[Item] = []
    for states in (_OTHERS, [SessionState.CONNECTED]):
        if room := limit - len(found):
            question = Question(type="session.list", session=fleet, data={"states": states})
            page, _ = await pages(client, question, "sessions", limit=room, source=source)
            found += page
    return found


async def _draw(view: View) -> None:
    from rich.live import Live  # noqa: PLC0415 - nothing else needs it

    with Live(_rendered(view), screen=True, refresh_per_second=2, transient=True) as live:
        while True:
            await asyncio.sleep(0.5)
            live.update(_rendered(view))


def _rendered(view: View) -> Any:
    from rich.console import Group  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    parts: list[Any] = [
        _table("Workers", view.worker_rows(time.monotonic())),
        _table("Sessions", view.session_rows()),
    ]
    if view.trouble is not None:
        parts.append(Text(plain(view.trouble), style="red"))
    return Group(*parts)


def _table(title: str, rows: list[dict[str, object]]) -> Any:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    made = Table(title=title, title_justify="left", expand=True)
    for name in rows[0] if rows else ("nothing is known yet",):
        made.add_column(name)
    for row in rows:
        made.add_row(*(Text(plain(str(cell))) for cell in row.values()))
    return made


def _print(view: View, *, as_json: bool) -> None:
    workers = view.worker_rows(time.monotonic())
    if as_json:
        loads = [load.model_dump(mode="json") for load, _ in view.workers.values()]
        say(json_text({"workers": loads, "sessions": view.sessions}))
        return
    sessions = view.session_rows()
    say(table(workers) if workers else "no worker has said anything")
    say("")
    say(table(sessions) if sessions else "there are no sessions")
