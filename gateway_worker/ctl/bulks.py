"""Sends to everybody whom a file names, and follows that to its end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import typer

from gateway_contracts.bulks import BulkCounts, BulkState
from gateway_contracts.client import GatewayClient
from gateway_contracts.commands.bulk import BulkInfo
from gateway_contracts.events.bulk import BulkFinished, BulkProgress
from gateway_contracts.events.outcome import CommandSucceeded
from gateway_worker.ctl.asking import Question, print_answer, print_result
from gateway_worker.ctl.building import json_of
from gateway_worker.ctl.exit_codes import EXIT_FAILED, EXIT_UNCERTAIN
from gateway_worker.ctl.progress import Advance, bar
from gateway_worker.ctl.speaking import outcomes_of, source_of, speak
from gateway_worker.ctl.uploads import TO_BE_UPLOADED, uploaded

_FORMATS: Final = {
    ".csv": ("csv", "text/csv"),
    ".jsonl": ("jsonl", "application/x-ndjson"),
    ".ndjson": ("jsonl", "application/x-ndjson"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """A bulk as it was typed; see `ctl bulk create --help`."""

    session: str
    rows: Path
    text: str | None = None
    content: str | None = None
    dry_run: bool = False
    check_contacts: bool = False
    scheduled_at: str | None = None
    command_id: str | None = None

    @property
    def format(self) -> tuple[str, str]:
        """What the lines of the file are, and its media type.

        Raises:
            typer.BadParameter: Its name does not say.
        """
        found = _FORMATS.get(self.rows.suffix.lower())
        if found is None:
            raise typer.BadParameter(f"the name of the file ends in one of {', '.join(_FORMATS)}")
        return found

    def question(self, media: dict[str, str], seconds: float) -> Question:
        """Return the command, with its rows in this file."""
        if self.text is not None and self.content is not None:
            raise typer.BadParameter("say TEXT or --content")
        content: dict[str, Any] | None = None
        if self.content is not None:
            content = json_of(self.content)
        elif self.text is not None:
            content = {"kind": "text", "text": self.text}
        data = {
            "content": content,
            "file": {"media": media, "format": self.format[0]},
            "dry_run": self.dry_run,
            "check_contacts": self.check_contacts,
            "scheduled_at": self.scheduled_at,
        }
        return Question(
            type="bulk.create",
            session=self.session,
            data=data,
            seconds=seconds,
            command_id=self.command_id,
        )


def create_bulk(
    context: typer.Context, mailing: Mailing, *, waits: bool, seconds: float, as_json: bool
) -> NoReturn:
    """Upload the rows, make the bulk, follow it if that is wished, and end the program."""
    source = source_of(context)
    mailing.question(TO_BE_UPLOADED, seconds).command(source)  # faults come first

    async def work(client: GatewayClient) -> int:
        media = await uploaded(
            client, mailing.session, mailing.rows, mime_type=mailing.format[1], seconds=seconds
        )
        command = mailing.question(media, seconds).command(source)
        answer = await client.request(command, seconds=seconds)
        if not waits or not isinstance(answer, CommandSucceeded):
            print_answer(answer, as_json=as_json)
            return 0
        return await _follow(client, mailing.session, command.id, source=source, as_json=as_json)

    _speak(context, mailing.session, work, as_json=as_json)


def follow_bulk(context: typer.Context, session: str, bulk_id: str, *, as_json: bool) -> NoReturn:
    """Follow a bulk and end the program."""
    source = source_of(context)
    Question(type="bulk.status", session=session, data={"bulk_id": bulk_id}).command(source)

    async def work(client: GatewayClient) -> int:
        return await _follow(client, session, bulk_id, source=source, as_json=as_json)

    _speak(context, session, work, as_json=as_json)


def _speak(context: typer.Context, session: str, work: Any, *, as_json: bool) -> NoReturn:
    patterns = (outcomes_of(session), f"bulk.*.{session}")
    speak(context, work, patterns=patterns, reads_events=True, json=as_json)


async def _follow(
    client: GatewayClient, session: str, bulk_id: str, *, source: str, as_json: bool
) -> int:
    """Show how far a bulk has come until it is over; returns the exit code."""
    asked = Question(type="bulk.status", session=session, data={"bulk_id": bulk_id})
    now = await client.ask(asked.command(source), BulkInfo)
    with bar("rows", quiet=as_json) as advance:
        _tell(now, advance)
        over = now.state in (BulkState.FINISHED, BulkState.CANCELLED)
        if not over:
            await _until_finished(client, bulk_id, advance)
    ended = await client.ask(asked.command(source), BulkInfo)
    print_result(ended.model_dump(mode="json", exclude_none=True), as_json=as_json)
    return exit_code(ended)


async def _until_finished(client: GatewayClient, bulk_id: str, advance: Advance) -> None:
    async for received in client.events():
        event = received.event
        if isinstance(event, BulkProgress | BulkFinished) and event.data.bulk_id == bulk_id:
            _tell(event.data, advance)
            if isinstance(event, BulkFinished):
                return


def exit_code(bulk: BulkCounts) -> int:
    """Return how the program ends after a bulk."""
    if bulk.uncertain:
        return EXIT_UNCERTAIN
    return EXIT_FAILED if bulk.failed or bulk.cancelled else 0


def _tell(bulk: BulkCounts, advance: Advance) -> None:
    ended = bulk.succeeded + bulk.failed + bulk.uncertain + bulk.cancelled
    how = [f"{bulk.failed} failed"] if bulk.failed else []
    how += [f"{bulk.uncertain} uncertain"] if bulk.uncertain else []
    if bulk.state is not BulkState.RUNNING:
        how.append(str(bulk.state) + (f" ({bulk.reason})" if bulk.reason else ""))
    advance(ended, bulk.rows, ", ".join(how))
