"""Sends a command and shows its result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import typer

from gateway_contracts import Command
from gateway_contracts.client import ClientError, GatewayClient
from gateway_contracts.events.outcome import CommandScheduled, CommandSucceeded
from gateway_worker.ctl.building import build_command
from gateway_worker.ctl.output import as_json as json_text
from gateway_worker.ctl.output import complain, say, table
from gateway_worker.ctl.showing import Item, lines, rows
from gateway_worker.ctl.speaking import outcomes_of, source_of, speak

_PAGE: Final = 200
"""How many items a page may have at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A command and how long its outcome is waited for.

    Attributes:
        type: Such as `group.info`.
        session: Its subject.
        data: What it says; None is left out.
        seconds: How long to wait.
        command_id: Its id, if somebody has chosen one.
    """

    type: str
    session: str
    data: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 30
    command_id: str | None = None

    def command(self, source: str, **more: Any) -> Command:
        """Return the command; raises `typer.BadParameter` if it cannot be one."""
        return build_command(
            self.type,
            self.session,
            {**self.data, **more},
            source=source,
            command_id=self.command_id,
        )


def show(context: typer.Context, question: Question, *, as_json: bool) -> NoReturn:
    """Send a command, print its result and end the program."""
    command = question.command(source_of(context))

    async def work(client: GatewayClient) -> int:
        print_answer(await client.request(command, seconds=question.seconds), as_json=as_json)
        return 0

    speak(context, work, patterns=(outcomes_of(question.session),), json=as_json)


def print_answer(answer: CommandSucceeded | CommandScheduled, *, as_json: bool) -> None:
    """Print what a command has returned, and on the side what was wrong with it."""
    if isinstance(answer, CommandScheduled):
        found: Item = {
            "kind": "command_scheduled",
            "command_id": answer.correlationid,
            "scheduled_at": answer.data.scheduled_at.isoformat(),
        }
    else:
        found = answer.data.result.model_dump(mode="json", exclude_none=True)
        for warning in answer.data.warnings:
            complain(f"{warning.code}: {warning.detail}")
    print_result(found, as_json=as_json)


def print_result(found: Item, *, as_json: bool) -> None:
    """Print a result."""
    if as_json:
        say(json_text(found))
        return
    found = {name: value for name, value in found.items() if name != "kind"}
    say("\n".join(lines(found)) or "done")


def show_pages(
    context: typer.Context,
    question: Question,
    items: str,
    *,
    limit: int,
    none: str,
    as_json: bool,
    row: Callable[[Item], Item] = lambda item: item,
    prepare: Callable[[Item], Item] = lambda item: item,
) -> NoReturn:
    """Ask for page after page, print what is on them and end the program.

    Args:
        context: Has the connection.
        question: For the first page.
        items: The field of the result that has them.
        limit: How many are printed at most.
        none: What is printed if there are none.
        as_json: Whether they are printed as JSON.
        row: Makes a row of a table out of one.
        prepare: What is done with each, however it is printed.
    """
    source = source_of(context)
    question.command(source, limit=1)  # before anything is contacted

    async def work(client: GatewayClient) -> int:
        found, more = await pages(client, question, items, limit=limit, source=source)
        found = [prepare(item) for item in found]
        if as_json:
            say(json_text(found))
        else:
            say(table(rows(row(item) for item in found)) if found else none)
        if more:
            complain("more are not shown; see --limit")
        return 0

    speak(context, work, patterns=(outcomes_of(question.session),), json=as_json)


async def pages(
    client: GatewayClient, question: Question, items: str, *, limit: int, source: str
) -> tuple[list[Item], bool]:
    """Return at most so many items of a list that comes in pages, and whether there are more.

    Raises:
        ClientError: A page could not be had, or is none.
    """
    found: list[Item] = []
    cursor = None
    while len(found) < limit:
        size = min(_PAGE, limit - len(found))
        command = question.command(source, limit=size, cursor=cursor)
        outcome = await client.outcome(command, seconds=question.seconds)
        page = outcome.data.result.model_dump(mode="json", exclude_none=True)
        if items not in page:
            raise ClientError(f"{question.type} has returned no {items}")
        found += page[items]
        cursor = page.get("next_cursor")
        if cursor is None:
            return found, False
    return found[:limit], True
